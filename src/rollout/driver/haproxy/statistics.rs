//! What `show stat` says of a backend's servers: a table with a head, of which five columns are read.
//!
//! In: the answer. Out: [`Server`]s, or none where it is no such table.
//! Spec: <https://docs.haproxy.org/2.6/management.html#9.1>.

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rollout) struct Server {
    /// Its name.
    pub(in crate::rollout) name: String,
    /// As haproxy writes it: `UP`, `no check`, `MAINT`, …
    pub(in crate::rollout) status: String,
    /// Sessions under way.
    pub(in crate::rollout) sessions: u64,
    /// Requests that wait for it.
    pub(in crate::rollout) queued: u64,
    /// Whole answers, connections that failed and answers that broke, since it started; none where a
    /// column is empty, as in `mode tcp`.
    pub(in crate::rollout) counters: Option<Counters>,
}

/// What a server has done since haproxy started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rollout) struct Counters {
    /// Requests that ended well or not.
    pub(in crate::rollout) total: u64,
    /// Those that did not.
    pub(in crate::rollout) bad: u64,
}

/// What is asked for the servers of a backend: all of them, and nothing else of it.
pub(in crate::rollout) fn question(backend: &str) -> String {
    format!("show stat {backend} 4 -1")
}

/// The servers of a backend, of an answer. What a health check said stands in quotes, may have any
/// lines in it, and comes behind all columns that are read: so lines are told by the backend's name.
pub(in crate::rollout) fn read(backend: &str, answer: &str) -> Option<Vec<Server>> {
    let mut lines = answer.lines().filter(|line| !line.is_empty());
    let head: Vec<&str> = lines.next()?.strip_prefix("# ")?.split(',').collect();
    let ours = |line: &&str| line.split(',').next() == Some(backend);
    lines.filter(ours).map(|line| server(&head, &line.split(',').collect::<Vec<_>>())).collect()
}

fn server(head: &[&str], cells: &[&str]) -> Option<Server> {
    let cell = |column: &str| {
        let at = head.iter().position(|name| *name == column)?;
        cells.get(at).copied()
    };
    let number = |column: &str| cell(column)?.parse::<u64>().ok();
    let counters = || {
        let answers = ["hrsp_1xx", "hrsp_2xx", "hrsp_3xx", "hrsp_4xx", "hrsp_5xx", "hrsp_other"];
        let answered = answers.into_iter().map(number).sum::<Option<u64>>()?;
        // Both are requests without a whole answer, which no `hrsp` counts. `stot` would count each try
        // of a request that is tried again: measured, 8 for 4 requests.
        let broken = number("econ")?.checked_add(number("eresp")?)?;
        let bad = number("hrsp_5xx")?.checked_add(broken)?;
        Some(Counters { total: answered.checked_add(broken)?, bad })
    };
    Some(Server {
        name: cell("svname")?.to_owned(),
        status: cell("status")?.to_owned(),
        sessions: number("scur")?,
        queued: number("qcur")?,
        counters: counters(),
    })
}

impl Server {
    /// Whether it is given new requests: `UP`, also on its way down, or not checked at all.
    pub(in crate::rollout) fn takes_traffic(&self) -> bool {
        self.status == "no check" || self.status == "UP" || self.status.starts_with("UP ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# pxname,svname,qcur,scur,econ,eresp,status,hrsp_1xx,hrsp_2xx,hrsp_3xx,hrsp_4xx,hrsp_5xx,hrsp_other,";

    #[test]
    fn counts_answers_and_what_never_was_one() {
        let answer = format!(
            "{HEAD}\napp,blue,1,2,4,6,UP,0,50,1,2,3,0,\napp,old,0,0,0,0,MAINT,,,,,,,\n of, a, check\n\n"
        );
        let blue = Server {
            name: "blue".to_owned(),
            status: "UP".to_owned(),
            sessions: 2,
            queued: 1,
            counters: Some(Counters { total: 66, bad: 13 }),
        };
        let old = Server {
            name: "old".to_owned(),
            status: "MAINT".to_owned(),
            sessions: 0,
            queued: 0,
            counters: None,
        };
        assert_eq!(read("app", &answer), Some(vec![blue, old]));
    }

    #[test]
    fn what_is_no_such_table_is_none() {
        for other in ["", "No such proxy.", "# pxname,svname\napp,blue", &format!("{HEAD}\napp,blue,x,2")] {
            assert_eq!(read("app", other), None, "{other}");
        }
        assert_eq!(read("app", HEAD), Some(Vec::new()));
    }

    #[test]
    fn tells_who_is_given_requests() {
        let takes = |status: &str| {
            let server = Server {
                name: String::new(),
                status: status.to_owned(),
                sessions: 0,
                queued: 0,
                counters: None,
            };
            server.takes_traffic()
        };
        assert!(["UP", "UP 1/3", "no check"].into_iter().all(takes));
        let idle = ["DOWN", "DOWN 1/2", "MAINT", "MAINT (via a/b)", "DRAIN", "NOLB", "", "UPSIDE"];
        assert!(!idle.into_iter().any(takes));
    }
}
