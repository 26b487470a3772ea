//! What splits a site's traffic: haproxy or nginx, with its file and its part of the executor's section.

use std::path::Path;

use crate::server::Server;
use crate::service::ask;

use super::site::{FRONT, write};

const HAPROXY: &str = "
global
  stats socket FOLDER/admin.sock level admin
defaults
  mode http
  option redispatch
  retries 3
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend front
  bind 127.0.0.1:8080
  default_backend app
backend app
  balance roundrobin
  server blue 127.0.0.1:8081 weight 100 check inter 200ms rise 1
  server green 127.0.0.1:8082 weight 0 check inter 200ms rise 1
";

/// Workers of another user would come to nothing in the test's folder.
const NGINX: &str = "
user root;
worker_processes 2;
pid nginx.pid;
error_log error.log;
events {}
http {
  access_log off;
  include laforge.conf;
  upstream blue { server 127.0.0.1:8081; }
  upstream green { server 127.0.0.1:8082; }
  server { listen 127.0.0.1:8080; location / { proxy_pass http://$laforge_upstream; } }
  server { listen 127.0.0.1:8090; location = /split { return 200 $laforge_split; } }
}
";

/// What an operator begins with, as the page has it.
const PAGE: &str = include_str!("../../../docs/rollout.md");

/// What splits the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Front {
    Haproxy,
    Nginx,
}

impl Front {
    /// Starts it in a folder.
    pub fn start(self, folder: &Path) -> Server {
        let here = format!("{}/", folder.display());
        let serves = || ask(FRONT, "/").is_ok_and(|answer| answer.status == 200);
        match self {
            Self::Haproxy => {
                write(folder, "haproxy.cfg", &HAPROXY.replace("FOLDER", &folder.display().to_string()));
                Server::start(folder, "haproxy", &["-f", "haproxy.cfg", "-db"], serves)
            }
            Self::Nginx => {
                write(folder, "nginx.conf", NGINX);
                let begins = PAGE.split("```nginx\n").nth(1).unwrap().split("```").next().unwrap();
                write(folder, "laforge.conf", begins);
                let arguments = ["-p", &here, "-c", "nginx.conf", "-g", "daemon off;"];
                Server::start(folder, "nginx", &arguments, serves)
            }
        }
    }

    /// Its part of the executor's section.
    pub fn section(self, folder: &Path) -> String {
        match self {
            Self::Haproxy => "driver: haproxy\n  haproxy: {socket: admin.sock, backend: app}".to_owned(),
            Self::Nginx => {
                let nginx = format!(
                    "[env, 'PATH=/usr/bin:/bin:/usr/sbin:/sbin', nginx, -p, {}/, -c, nginx.conf",
                    folder.display()
                );
                format!(
                    "driver: nginx\n  nginx: {{file: laforge.conf, test: {nginx}, -t], reload: {nginx}, -s, reload], \
                     readback: 'http://127.0.0.1:8090/split'}}"
                )
            }
        }
    }
}
