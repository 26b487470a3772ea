//! README and `docs/`: every shell block runs, every link leads somewhere, every flag and verb is one.
//!
//! The shell blocks of a page are one session in a folder of its own, in their order. Those that can't run here say
//! why in their fence (`sh no-run: …`) and are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::example::{Run, at_home, finished};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, by its path from the root.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut folders = vec![root().join("docs"), root().join("deploy")];
    let mut files = vec![root().join("README.md")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    for file in files.into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "md")) {
        let name = file.strip_prefix(root()).unwrap().display().to_string();
        pages.insert(name, fs::read_to_string(&file).unwrap());
    }
    pages
}

/// A fenced block.
struct Block {
    info: String,
    text: String,
}

impl Block {
    fn is_shell(&self) -> bool {
        matches!(self.info.split(' ').next(), Some("sh" | "bash" | "shell" | "console"))
    }

    /// Why it can't run here.
    fn reason(&self) -> Option<&str> {
        self.info.split_once(" no-run: ").map(|(_, reason)| reason)
    }
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some(Block { info: info.to_owned(), text: String::new() }),
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// Pages that are about a cluster from end to end: `tests/kubernetes` applies what they name.
const OF_A_CLUSTER: [&str; 1] = ["docs/kubernetes.md"];

/// What is the same as running this test.
const ITSELF: &str = "cargo test\n";

/// Runs the blocks of a page in one shell. A line that fails ends it, but for what a gate says by its exit code.
fn session(blocks: &[Block]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    // `cargo run --quiet -- …` is the program under test.
    let cargo = format!(
        "#!/bin/sh\n[ \"$1 $2 $3\" = 'run --quiet --' ] || exit 2\nshift 3\nexec {} \"$@\"\n",
        crate::example::PROGRAM
    );
    fs::write(bin.join("cargo"), cargo).unwrap();
    Command::new("chmod").arg("+x").arg(bin.join("cargo")).status().unwrap();
    let work = folder.path().join("work");
    fs::create_dir(&work).unwrap();
    let mut script = "trap 'code=$?; case $code in 10|11|13) ;; *) echo \"failed with $code: $BASH_COMMAND\" >&2; exit 99 ;; esac' ERR\n".to_owned();
    for block in
        blocks.iter().filter(|block| block.is_shell() && block.reason().is_none() && block.text != ITSELF)
    {
        script.push_str(&block.text);
    }
    let program = Path::new(crate::example::PROGRAM).parent().unwrap();
    let mut command = at_home("bash", &work);
    command
        .env("PATH", format!("{}:{}:/usr/bin:/bin", bin.display(), program.display()))
        .env("HOME", folder.path())
        .env("XDG_CACHE_HOME", folder.path().join("cache"))
        .envs(["AUTHOR", "COMMITTER"].iter().flat_map(|who| {
            [(format!("GIT_{who}_NAME"), "a"), (format!("GIT_{who}_EMAIL"), "a@example.com")]
        }))
        .args(["-c", &script]);
    finished(command.output().unwrap())
}

#[test]
fn every_shell_block_runs() {
    let pages = pages();
    let failures: Vec<String> = std::thread::scope(|scope| {
        let runs: Vec<_> = pages
            .iter()
            .map(|(name, page)| (name, blocks(page)))
            .filter(|(name, blocks)| {
                !OF_A_CLUSTER.contains(&name.as_str()) && blocks.iter().any(Block::is_shell)
            })
            .map(|(name, blocks)| (name, scope.spawn(move || session(&blocks))))
            .collect();
        let ended = runs.into_iter().map(|(name, run)| (name, run.join().unwrap()));
        ended
            .filter(|(_, run)| ![0, 10, 11, 13].contains(&run.code))
            .map(|(name, run)| format!("{name}: exit {}\n{}\n{}", run.code, run.stdout, run.stderr))
            .collect()
    });
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_blocks_that_can_not_run_here_are_these() {
    let pages = pages();
    let reasons: Vec<(&str, String)> = pages
        .iter()
        .flat_map(|(name, page)| blocks(page).into_iter().map(move |block| (name.as_str(), block)))
        .filter_map(|(name, block)| block.reason().map(|reason| (name, reason.to_owned())))
        .collect();
    let ours: Vec<&(&str, String)> = reasons
        .iter()
        .filter(|(name, _)| {
            name.starts_with("README") || name.starts_with("docs/recipes") || *name == "docs/manifests.md"
        })
        .collect();
    assert_eq!(ours.len(), 2, "{reasons:?}");
    assert!(reasons.iter().all(|(_, reason)| reason.len() > 10), "a reason that says nothing: {reasons:?}");
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Headings and text, without what stands in fenced blocks.
fn prose(page: &str) -> String {
    let mut inside = false;
    let kept = page.lines().filter(|line| {
        let fence = line.starts_with("```");
        inside ^= fence;
        !inside && !fence
    });
    kept.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut broken = Vec::new();
    for (name, page) in &pages {
        let text = prose(page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (path, fragment) = link.split_once('#').map_or((link, None), |(path, at)| (path, Some(at)));
            let folder = root().join(name).parent().unwrap().to_owned();
            let target = if path.is_empty() { root().join(name) } else { folder.join(path) };
            let Ok(target) = target.canonicalize() else {
                broken.push(format!("{name}: {link}"));
                continue;
            };
            let Some(fragment) = fragment else { continue };
            let text = prose(&fs::read_to_string(&target).unwrap_or_default());
            let headings = text.lines().filter(|line| line.starts_with('#'));
            let written = format!("<a id=\"{fragment}\">");
            if !text.contains(&written)
                && !headings.map(|line| anchor(line.trim_start_matches('#'))).any(|it| it == fragment)
            {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn every_path_of_the_project_that_a_page_names_is_there() {
    let mut missing = Vec::new();
    for (name, page) in pages() {
        for span in page.split('`').skip(1).step_by(2) {
            let ours = [
                "src/",
                "tests/",
                "docs/",
                "fixtures/",
                "deploy/ci/",
                "deploy/k8s/",
                "deploy/helm/",
                "deploy/images/",
            ];
            let whole = !span.contains(|c: char| c.is_whitespace() || "*{}<>…$|\"".contains(c));
            let named = ours.iter().any(|folder| span.starts_with(folder)) && whole;
            if named && !root().join(span.split(':').next().unwrap()).exists() {
                missing.push(format!("{name}: {span}"));
            }
        }
    }
    assert!(missing.is_empty(), "paths that are not there: {missing:#?}");
}

/// The long flags of every verb, those of our scripts, and the verbs.
fn known() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut flags, mut verbs) = (BTreeSet::new(), BTreeSet::new());
    let mut command = laforge::cli::command();
    command.build();
    collect(&command, &mut flags);
    verbs.extend(command.get_subcommands().map(|verb| verb.get_name().to_owned()));
    for script in fs::read_dir(root().join("deploy/ci")).unwrap() {
        let text = fs::read_to_string(script.unwrap().path()).unwrap();
        flags.extend(flags_in(&text));
    }
    (flags, verbs)
}

fn collect(command: &clap::Command, flags: &mut BTreeSet<String>) {
    flags.extend(command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")));
    command.get_subcommands().for_each(|verb| collect(verb, flags));
}

fn flags_in(text: &str) -> BTreeSet<String> {
    let starts = text
        .match_indices("--")
        .filter(|(at, _)| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '-'));
    let words = starts
        .map(|(at, _)| text[at..].split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next().unwrap());
    let words = words.filter(|word| word.len() > 3 && word.as_bytes()[2].is_ascii_lowercase());
    // `--require-*` names a family.
    words.filter(|word| !word.ends_with('-')).map(str::to_owned).collect()
}

/// Lines that call another program, whose flags are its own.
const OTHERS: [&str; 10] =
    ["cargo", "kubectl", "helm ", "docker", "git ", "pg_dump", "prometheus", "kustomize", "curl", "BUILD "];

#[test]
fn every_flag_and_verb_that_a_page_names_is_one() {
    let (flags, verbs) = known();
    let mut strange = Vec::new();
    for (name, page) in pages() {
        for line in page.lines().filter(|line| !OTHERS.iter().any(|other| line.contains(other))) {
            let strangers = flags_in(line).into_iter().filter(|flag| !flags.contains(flag));
            strange.extend(strangers.map(|flag| format!("{name}: {flag}")));
        }
        for span in page.split('`').skip(1).step_by(2).filter_map(|span| span.strip_prefix("laforge ")) {
            let verb: String = span.chars().take_while(|c| c.is_ascii_lowercase() || *c == '-').collect();
            if !verb.is_empty() && !verb.starts_with('-') && !verbs.contains(&verb) {
                strange.push(format!("{name}: laforge {verb}"));
            }
        }
    }
    assert!(strange.is_empty(), "named, and not there: {strange:#?}");
}
