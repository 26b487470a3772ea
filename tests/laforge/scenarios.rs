//! `fixtures/scenarios/`: each ends as it says, always the same way, in whichever form it is printed.

use std::fs;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Instant;

use laforge::plan::{RolloutFlags, RolloutRequest};
use laforge::report::simulation as report;
use laforge::rollout::simulate::sweep::sweep;
use laforge::rollout::simulate::{Planned, Scenario, Simulation, scenario, simulate};
use laforge::yaml::Source;
use serde_json::Value;

use crate::example::run_in;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios")
}

fn library() -> Vec<(String, Source)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let source = Source::new(&format!("{name}.yaml"), &fs::read_to_string(path).unwrap());
        (name, source)
    };
    files.into_iter().map(read).collect()
}

fn run(source: &Source) -> (Planned, Scenario, Simulation) {
    let (scenario, section) = Scenario::read(source).unwrap();
    let request = RolloutRequest::of(Some((&section, source)), &RolloutFlags::default()).unwrap();
    let planned = Planned::request(&request).unwrap();
    let simulation = simulate(&planned, &scenario);
    (planned, scenario, simulation)
}

#[test]
fn every_scenario_ends_as_it_says() {
    let mut wrong = Vec::new();
    let library = library();
    assert!(library.len() >= 25, "the library is there");
    for (name, source) in library {
        let (_, scenario, simulation) = run(&source);
        assert_eq!(scenario.name, name);
        let expected = scenario.expect.as_ref().expect("a scenario of the library says how it ends");
        if !expected.holds(&simulation.end, simulation.cause, simulation.highest) {
            let (stage, cause, highest) = (simulation.end.stage.name(), simulation.cause, simulation.highest);
            wrong.push(format!("{name}: {stage}, {cause:?}, {highest} instead of {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_scenario_goes_the_same_way_twice() {
    for (name, source) in library() {
        let ((planned, scenario, first), (_, _, second)) = (run(&source), run(&source));
        assert_eq!(report::json(&scenario, &first), report::json(&scenario, &second), "{name}");
        assert_eq!(report::svg(&planned, &scenario, &first), report::svg(&planned, &scenario, &second));
    }
}

/// What the trace of every scenario keeps, whatever happens in it.
#[test]
fn no_trace_raises_what_is_not_earned() {
    for (name, source) in library() {
        let (planned, _, simulation) = run(&source);
        let weights: Vec<u64> = planned.schedule.rungs().map(|rung| rung.weight.percent()).collect();
        for rows in simulation.rows.windows(2) {
            let (before, row) = (&rows[0].after, &rows[1]);
            let allowed = weights.get(row.after.passed).copied().unwrap_or(100);
            assert!(row.after.target.percent() <= allowed, "{name} at {}: {:?}", row.at, row.after);
            assert!(row.after.passed <= before.passed + 1 && row.after.epoch >= before.epoch, "{name}");
            let raised = row.after.target > before.target;
            let by_right = matches!(row.outcome.as_str(), "T5" | "T9" | "T17");
            assert!(!raised || by_right, "{name} at {}: raised by {}", row.at, row.outcome);
        }
    }
}

#[test]
fn the_schema_takes_the_library_and_refuses_a_typo() {
    let schema: Value = scenario::schema().into();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, _) in library() {
        let text = fs::read_to_string(folder().join(format!("{name}.yaml"))).unwrap();
        let mut document: Value = serde_yaml::from_str(&text).unwrap();
        assert!(validator.is_valid(&document), "{name}: {:?}", validator.validate(&document).err());
        document["candidat"] = Value::from(1);
        assert!(!validator.is_valid(&document), "{name}");
    }
}

#[test]
fn a_mistake_in_a_scenario_is_placed() {
    let head = "apiVersion: laforge.dev/v1\nkind: Scenario\nname: n\nabout: a\n";
    for (line, place, said) in [
        ("candidate: {errors: 1.5}\n", "s.yaml:5:21", "`1.5` is no share"),
        ("candidate: {errors: lots}\n", "s.yaml:5:21", "`lots` is no share"),
        ("events:\n- {at: soon, proxy: restarts}\n", "s.yaml:6:3", "`soon` is no time"),
        ("events:\n- {at: 5m}\n", "s.yaml:6:3", "nothing happens"),
        ("events:\n- {at: 5m, writer: 101}\n", "s.yaml:6:3", "`101` is no weight"),
        (
            "events:\n- {at: 5m, operator: {asks: pause, actor: a, reason: ' '}}\n",
            "s.yaml:6:3",
            "an actor and a reason",
        ),
        ("traffic: {scrapeSeconds: 0}\n", "s.yaml:5:26", "1 to 60"),
        ("candidates: {}\n", "s.yaml:5:1", "candidates"),
    ] {
        let error = Scenario::read(&Source::new("s.yaml", &format!("{head}{line}"))).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(said), "{error}");
    }
}

#[test]
fn the_command_prints_trace_lines_and_chart_and_compares_the_end() {
    let home = tempfile::tempdir().unwrap();
    let scenario = folder().join("errors.yaml");
    let scenario = scenario.to_str().unwrap();
    let simulate = |more: &[&str]| {
        run_in(home.path(), &[&["rollout", "simulate", "--scenario", scenario], more].concat())
    };
    let human = simulate(&["--chart", "chart.svg"]);
    assert_eq!(human.code, 0, "{}", human.stderr);
    assert!(human.stdout.contains("Paused(breach)") && human.stdout.contains("RolledBack after"));
    let svg = fs::read_to_string(home.path().join("chart.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && !svg.contains("NaN"));
    let lines = simulate(&["-o", "jsonl"]).stdout;
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(
        (last["state"]["stage"]["name"].as_str(), last["cause"].as_str()),
        (Some("RolledBack"), Some("breach"))
    );
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    // A budget of 10 % lets it pass: the end is another one than the scenario expects.
    let other = simulate(&["--error-budget", "0.1"]);
    assert_eq!(other.code, 10, "{}", other.stderr);
    assert!(other.stderr.contains("its `expect` says otherwise"), "{}", other.stderr);
}

#[test]
fn the_command_takes_the_preview_that_deploy_prints_and_nothing_else() {
    let home = tempfile::tempdir().unwrap();
    let preview = run_in(home.path(), &["deploy", "--traffic-steps", "10,100", "-o", "plan.json"]);
    assert_eq!(preview.code, 0, "{}", preview.stderr);
    let run = run_in(home.path(), &["rollout", "simulate", "plan.json", "-o", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["end"]["state"]["stage"]["name"], "Completed");
    let steps: Vec<u64> = document["trace"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["type"] == "WeightConfirmed")
        .map(|row| row["after"]["target"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [10, 100]);
    let both = run_in(home.path(), &["rollout", "simulate", "plan.json", "--error-budget", "0.1"]);
    assert_eq!(both.code, 2);
    fs::write(home.path().join("other.json"), "{\"kind\": \"Other\"}").unwrap();
    let other = run_in(home.path(), &["rollout", "simulate", "other.json"]);
    assert!(other.code == 2 && other.stderr.contains("neither a plan nor the preview"), "{}", other.stderr);
    let later = run_in(home.path(), &["rollout", "run", "plan.json"]);
    assert!(later.code == 2 && later.stderr.contains("this machine is no executor"));
}

#[test]
fn the_command_sweeps_by_seed_and_refuses_to_sweep_nothing() {
    let home = tempfile::tempdir().unwrap();
    let sweep = |seed: &str, many: &str| {
        run_in(home.path(), &["rollout", "simulate", "--sweep", many, "--seed", seed, "-o", "json"])
    };
    let (first, again, other) = (sweep("3", "20"), sweep("3", "20"), sweep("4", "20"));
    assert_eq!((first.code, &first.stdout), (0, &again.stdout), "{}", first.stderr);
    assert_ne!(first.stdout, other.stdout);
    let found: Value = serde_json::from_str(&first.stdout).unwrap();
    let runs = |ends: &Value| ends["runs"].as_u64().unwrap();
    let undisturbed: u64 = found["rates"].as_array().unwrap().iter().map(runs).sum();
    let disturbed: u64 = found["mishaps"].as_object().unwrap().values().map(runs).sum();
    assert_eq!(undisturbed + disturbed, 20);
    let none = sweep("3", "0");
    assert!(none.code == 2 && none.stderr.contains("is not 1 to 1000000"), "{}", none.stderr);
}

/// A sweep ends every rollout, lets good ones pass and bad ones not, and depends on no thread.
#[test]
fn a_sweep_stops_the_bad_and_passes_the_good() {
    let request = RolloutRequest::of(None, &RolloutFlags::default()).unwrap();
    let planned = Planned::request(&request).unwrap();
    let (one, two) = (NonZero::new(1).unwrap(), NonZero::new(2).unwrap());
    let count = 120;
    let began = Instant::now();
    let found = sweep(&planned, count, 7, two);
    println!("{count} scenarios in {:?}\n{}", began.elapsed(), report::sweep(&found));
    assert_eq!(found, sweep(&planned, count, 7, one));
    assert_ne!(sweep(&planned, 9, 7, two).rates, sweep(&planned, 9, 8, two).rates);
    for line in &found.rates {
        assert_eq!(line.ends.unended, 0);
        match line.of_budget_permille {
            ..=500 => assert_eq!(line.ends.completed, line.ends.runs, "{line:?}"),
            2000.. => assert_eq!(line.ends.completed, 0, "{line:?}"),
            _ => {}
        }
    }
    assert!(found.mishaps.values().all(|ends| ends.unended == 0), "{:?}", found.mishaps);
}
