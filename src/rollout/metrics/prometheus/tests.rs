//! How series become instances. Against the real Prometheus: `tests/real_parts`.

use super::answer::{Kind, read};
use super::*;

fn series(labels: &[(&str, &str)], values: &[(f64, &str)]) -> Series {
    let metric: BTreeMap<&str, &str> = labels.iter().copied().collect();
    let written = serde_json::json!({"metric": metric, "values": values});
    serde_json::from_value(written).unwrap()
}

fn counts(samples: &[Sample]) -> Vec<(i64, Option<u64>, Option<u64>)> {
    samples.iter().map(|sample| (sample.at.timestamp_millis(), sample.bad, sample.total)).collect()
}

#[test]
fn sums_the_series_of_a_process_at_each_scrape() {
    let (one, other) =
        ([("job", "a"), ("instance", "1"), ("code", "200")], [("job", "a"), ("instance", "2")]);
    let failing = [("job", "a"), ("instance", "1"), ("code", "500")];
    let found = sums(&[
        series(&one, &[(1.001, "5"), (2.001, "7"), (3.001, "NaN")]),
        series(&failing, &[(2.001, "1"), (3.001, "2")]),
        series(&other, &[(1.5, "+Inf"), (2.5, "1.5"), (3.5, "-1")]),
    ]);
    let process = |instance: &str| Process { job: "a".to_owned(), instance: instance.to_owned() };
    let expected = Counters::from([
        (process("1"), BTreeMap::from([(1001, Some(5)), (2001, Some(8)), (3001, None)])),
        (process("2"), BTreeMap::from([(1500, None), (2500, None), (3500, None)])),
    ]);
    assert_eq!(found, expected);
}

#[test]
fn a_bad_series_is_0_until_it_was_seen_and_after_a_restart() {
    let total = BTreeMap::from([(1, Some(10)), (2, Some(20)), (3, Some(30)), (4, Some(4)), (5, Some(9))]);
    let bad = BTreeMap::from([(2, Some(1)), (5, None)]);
    assert_eq!(
        counts(&beside_bad(&total, &bad)),
        [
            (1, Some(0), Some(10)),
            (2, Some(1), Some(20)),
            (3, None, Some(30)),
            (4, Some(0), Some(4)),
            (5, None, Some(9)),
        ]
    );
    // Taken at other times than the total: nobody can tell, and 0 would be a pass.
    let elsewhere = BTreeMap::from([(1, Some(3))]);
    let total = BTreeMap::from([(2, Some(10)), (3, None)]);
    assert_eq!(counts(&beside_bad(&total, &elsewhere)), [(2, None, Some(10)), (3, None, None)]);
}

#[test]
fn a_good_series_that_is_absent_is_no_number() {
    let total = BTreeMap::from([(1, Some(10)), (2, Some(20)), (3, Some(30))]);
    let good = BTreeMap::from([(1, Some(9)), (3, Some(31))]);
    assert_eq!(
        counts(&beside_good(&total, &good)),
        [(1, Some(1), Some(10)), (2, None, Some(20)), (3, None, Some(30))]
    );
}

#[test]
fn an_answer_that_is_none_is_never_a_count() {
    let matrix = |members: &str| {
        format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}}{members}}}]}}}}"#
        )
    };
    for (status, body, said) in [
        (500, "down".to_owned(), "answered 500: down"),
        (302, String::new(), "answered 302: "),
        (
            422,
            r#"{"status":"error","errorType":"execution","error":"too many samples"}"#.to_owned(),
            "answered 422: too many samples",
        ),
        (200, r#"{"status":"error","error":"timed out"}"#.to_owned(), "answered 200: timed out"),
        (200, "<html>Log in</html>".to_owned(), "can't be read: expected value at line 1 column 1, in `<html>"),
        (200, matrix(r#","values":[[1,"1"]]"#).replace("]]}", ""), "can't be read"),
        (200, r#"{"status":"success"}"#.to_owned(), "it has no `data`"),
        (200, matrix(r#","value":[1,"1"]"#), "has no plain numbers"),
        (200, matrix(""), "has no plain numbers"),
        (200, matrix(r#","values":[[1,"1"]],"histograms":[]"#), "has no plain numbers"),
        (200, matrix(r#","values":[[1,1]]"#), "can't be read"),
        (200, matrix(r#","values":[["1","1"]]"#), "can't be read"),
        (200, r#"{"status":"success","data":{"resultType":"scalar","result":[]}}"#.to_owned(), "it is a `scalar`"),
        (
            200,
            r#"{"status":"success","data":{"resultType":"matrix","result":[]},"warnings":["one store is down"]}"#
                .to_owned(),
            "is not whole: one store is down",
        ),
    ] {
        let refused = read("http://p", status, body.as_bytes(), Kind::Matrix).unwrap_err().to_string();
        assert!(refused.contains(said), "{body}: {refused}");
    }
    let whole = matrix(r#","values":[[1.5,"7"]]"#);
    assert_eq!(
        read("http://p", 200, whole.as_bytes(), Kind::Matrix).unwrap()[0].values,
        [(1.5, "7".to_owned())]
    );
}

#[test]
fn a_setting_that_can_t_work_is_named() {
    let section = |url: &str| PrometheusSection {
        url: url.to_owned(),
        scrape_seconds: None,
        token_file: None,
        ca_file: None,
        timeout_seconds: None,
    };
    let refused = |section: PrometheusSection| Prometheus::new(&section).unwrap_err().to_string();
    assert_eq!(
        Prometheus::new(&section("http://127.0.0.1:9090/p/")).unwrap().interval(),
        Duration::seconds(15)
    );
    for (url, said) in [
        ("127.0.0.1:9090", "can't be the address of the metrics"),
        ("ftp://p", "neither http nor https"),
        ("http://u:p@p", "`p` can't be the address of the metrics: credentials belong in `tokenFile`"),
        ("http://p/?x=1", "a query or fragment can't be kept"),
    ] {
        let refusal = refused(section(url));
        assert!(refusal.contains(said), "{url}: {refusal}");
    }
    let token = PrometheusSection { token_file: Some("t".to_owned()), ..section("http://p:9090") };
    assert!(refused(token).contains("with a token it has to be https"));
    let authorities = PrometheusSection { ca_file: Some("/none.pem".to_owned()), ..section("https://p") };
    assert!(refused(authorities).starts_with("`/none.pem` can't be the authorities of the metrics: No such"));
    let never = PrometheusSection { scrape_seconds: Some(0), ..section("http://p") };
    assert_eq!(refused(never), "`0` can't be `scrapeSeconds`: 1 to 3600");
}
