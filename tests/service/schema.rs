//! The document of the routes: the committed one is the one that is served, and a client that reads it and asks
//! whatever it allows, and more, finds neither an error of the service's own nor an answer that it does not name.

use std::path::{Path, PathBuf};
use std::process::Command;

use laforge::serve::runtime::openapi::openapi;
use serde_json::Value;

use crate::rollouts::under_way;
use crate::site::{ALL, Site};
use crate::skipped;

#[test]
fn the_committed_document_is_the_one_that_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let made = format!("{:#}\n", openapi());
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == made, "out of date: UPDATE_PAGES=1 cargo test --test service committed");
    let site = Site::new();
    let served: Value = site.serve(&[]).get("/openapi.json").json();
    assert_eq!(served, openapi());
}

/// Where `tests/service/schemathesis` installs it.
fn schemathesis() -> Option<PathBuf> {
    let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/schemathesis");
    let output = Command::new(build).arg("--where").output().ok()?;
    let program = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()).join("bin/schemathesis");
    program.is_file().then_some(program)
}

#[test]
fn a_client_that_reads_the_document_finds_no_breach_of_it() {
    let Some(program) = schemathesis() else {
        return skipped("schemathesis is not installed (tests/service/schemathesis)");
    };
    let site = Site::with("  admission: {environment: production, callers: known}\n");
    site.roll_out();
    under_way(&site);
    let service = site.serve(&[]);
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,\
                  ignored_auth,unsupported_method";
    let output = Command::new(program)
        .current_dir(site.path("."))
        .args(["run", &service.url("/openapi.json")])
        .args(["-H", &format!("Authorization: Bearer {ALL}")])
        .args([
            "--checks",
            checks,
            "--max-examples",
            "25",
            "--seed",
            "7",
            "--no-color",
            "--continue-on-failure",
        ])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(service.get("/v1/log").status, 200);
    site.laforge(&["audit", "verify"]);
}
