//! The file and the line, read strictly. The real nginx: `tests/real_parts`.

use super::*;

fn section() -> NginxSection {
    NginxSection {
        file: "/etc/nginx/laforge.conf".to_owned(),
        key: None,
        variable: None,
        test: Vec::new(),
        reload: Vec::new(),
        readback: "http://127.0.0.1:8090/split".to_owned(),
        connections: Vec::new(),
    }
}

fn plan() -> ClaimedDigest {
    ClaimedDigest::from_hex(&"ab".repeat(32)).unwrap()
}

fn split(weight: u64) -> Split {
    let (candidate, stable) = ("green".to_owned(), "blue".to_owned());
    Split { candidate, stable, weight: Weight::new(weight).unwrap(), epoch: 4, plan: Some(plan()) }
}

#[test]
fn the_file_of_each_weight() {
    let spelling = Spelling::new(&section()).unwrap();
    let line =
        |weight: u64| format!("green={weight} blue={} epoch=4 plan=sha256:{}", 100 - weight, "ab".repeat(32));
    let whole = format!(
        "# laforge: {0}\n\
         # Written whole for each change; what is edited here is taken for another writer's.\n\
         split_clients \"$request_id\" $laforge_upstream {{\n    20.00% green;\n    * blue;\n}}\n\
         map \"\" $laforge_split {{\n    default \"{0}\";\n}}\n",
        line(20)
    );
    assert_eq!(split(20).file(&spelling), whole);
    for (weight, inside) in [(0, "{\n    * blue;\n}"), (100, "{\n    * green;\n}"), (1, "    1.00% green;\n")]
    {
        let file = split(weight).file(&spelling);
        assert!(file.contains(inside), "{file}");
        assert_eq!(Split::of_file(&file), Some(split(weight)));
    }
}

#[test]
fn the_file_that_an_operator_begins_with_is_one_of_ours() {
    let page = include_str!("../../../../docs/rollout.md");
    let begins = page.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let first = Split::of_file(begins).unwrap();
    assert_eq!(first.file(&Spelling::new(&section()).unwrap()), begins);
    assert_eq!((first.weight, first.plan), (Weight::ZERO, None));
}

#[test]
fn a_line_that_this_driver_does_not_write_is_no_split() {
    let plan = format!("plan=sha256:{}", "ab".repeat(32));
    assert_eq!(Split::of_line(&format!("green=20 blue=80 epoch=4 {plan}")), Some(split(20)));
    for other in [
        String::new(),
        format!("green=20 blue=81 epoch=4 {plan}"),
        format!("green=020 blue=80 epoch=4 {plan}"),
        format!("green=+20 blue=80 epoch=4 {plan}"),
        format!("green=20 green=80 epoch=4 {plan}"),
        format!("green=120 blue=80 epoch=4 {plan}"),
        format!("green=20 blue=80  epoch=4 {plan}"),
        format!("green=20 blue=80 epoch=4 {plan}\n"),
        format!("gr;een=20 blue=80 epoch=4 {plan}"),
        format!("green=20 blue=80 epoch=-4 {plan}"),
        "green=20 blue=80 epoch=4 plan=".to_owned(),
        "green=20 blue=80 epoch=4".to_owned(),
    ] {
        assert_eq!(Split::of_line(&other), None, "{other}");
    }
}

#[test]
fn a_setting_that_would_break_the_file_is_refused() {
    let made = |section: &NginxSection, candidate: &str| {
        let upstreams = Backends { stable: "blue".to_owned(), candidate: candidate.to_owned() };
        Nginx::new(section, upstreams, "green", plan(), Duration::from_secs(1)).map(drop)
    };
    made(&section(), "green.app-1_x").unwrap();
    let key = |key: &str| NginxSection { key: Some(key.to_owned()), ..section() };
    let variable = |name: &str| NginxSection { variable: Some(name.to_owned()), ..section() };
    let readback = |url: &str| NginxSection { readback: url.to_owned(), ..section() };
    made(&key("$remote_addr$http_user_agent"), "green").unwrap();
    made(&variable("$upstream_2"), "green").unwrap();
    made(&readback("http://[::1]:8090/split"), "green").unwrap();
    for (section, candidate, said) in [
        (section(), "green; }", "`green; }` can't be an upstream: letters"),
        (section(), "", "`` can't be an upstream"),
        (key("$a\" $b { * x; }"), "green", "can't be `key` of nginx: nginx variables such as"),
        (key(""), "green", "can't be `key` of nginx"),
        (variable("laforge_split"), "green", "`laforge_split` can't be `variable` of nginx"),
        (variable("a b"), "green", "can't be `variable` of nginx"),
        (readback("http://edge.example/split"), "green", "http on this machine"),
        (readback("/split"), "green", "`/split` can't be `readback` of nginx"),
    ] {
        let refused = made(&section, candidate).unwrap_err().to_string();
        assert!(refused.contains(said), "{refused}");
    }
}
