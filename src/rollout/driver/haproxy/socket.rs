//! The runtime socket: one command line, one answer, within a time and a size.
//!
//! In: a command line. Out: all that haproxy says to it. haproxy ends an exchange by closing it.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt};

use crate::rollout::driver::{DriverError, excerpt};

/// Bytes of an answer: ten thousand servers say less.
const MAX_ANSWER: usize = 8 * 1024 * 1024;

/// A runtime socket.
#[derive(Debug, Clone)]
pub(in crate::rollout) struct Socket {
    path: String,
    timeout: Duration,
}

impl Socket {
    /// The socket at a path; each exchange may take so long.
    pub(in crate::rollout) fn new(path: &str, timeout: Duration) -> Self {
        Self { path: path.to_owned(), timeout }
    }

    /// Its path.
    pub(in crate::rollout) fn path(&self) -> &str {
        &self.path
    }

    /// Says a command line and takes the whole answer.
    pub(in crate::rollout) fn ask(&self, asked: &str) -> Result<String, DriverError> {
        let lost = |source: io::Error| DriverError::Unreachable { place: self.path.clone(), source };
        let answer = self.exchange(asked).map_err(|error| lost(timed_out(error)))?;
        match answer.len() > MAX_ANSWER {
            true => Err(self.answered(asked, "more than anyone reads")),
            false => Ok(String::from_utf8_lossy(&answer).into_owned()),
        }
    }

    /// The error that an answer is.
    pub(in crate::rollout) fn answered(&self, asked: &str, answer: &str) -> DriverError {
        let answer = excerpt(answer);
        let answer = if answer.is_empty() { "nothing".to_owned() } else { answer };
        DriverError::Answer { place: self.path.clone(), asked: excerpt(asked), answer }
    }

    fn exchange(&self, asked: &str) -> io::Result<Vec<u8>> {
        let began = Instant::now();
        let mut stream = self.connect()?;
        stream.write_all(format!("{asked}\n").as_bytes())?;
        let (mut answer, mut chunk) = (Vec::new(), vec![0; 64 * 1024]);
        while answer.len() <= MAX_ANSWER {
            let left = self.timeout.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Err(ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            match stream.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => answer.extend(chunk.iter().take(read)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(answer)
    }

    /// Connects within the timeout: a haproxy that stands still accepts nobody once its queue is full,
    /// and the standard library would wait for ever.
    fn connect(&self) -> io::Result<UnixStream> {
        let address = SocketAddrUnix::new(self.path.as_str())?;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(self.timeout))?;
        connect(&socket, &address)?;
        Ok(UnixStream::from(socket))
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.path)
    }
}

/// A timeout of a socket comes as "would block", which says nothing to a person.
fn timed_out(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => ErrorKind::TimedOut.into(),
        _ => error,
    }
}
