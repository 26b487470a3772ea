//! README and `docs/`: every shell block runs, every link leads somewhere, every flag and verb is one.
//!
//! The shell blocks of a page are one session in a folder of its own, in their order. No line of them may fail but
//! one that tells its code (`|| echo "exit $?"`). A block of `output` after one shows lines that it has to print, in
//! their order, `…` for anything; every code that is told is among them. Blocks that can't run here say why in their
//! fence (`sh no-run: …`) and are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::example::{Example, Run, at_home, finished};

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

/// What stands between the output of one block and that of the next.
const NEXT: &str = "-- the next block --";

/// Runs the blocks of a page in one shell, and gives its code with what each of them printed.
fn session(blocks: &[&Block]) -> (Run, Vec<String>) {
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
    // A failure inside of a function or a subshell is one, too.
    let mut script =
        "set -E; exec 2>&1; trap 'echo \"failed with $?: $BASH_COMMAND\"; exit 99' ERR\n".to_owned();
    for block in blocks {
        script.push_str(&format!("{}echo; echo '{NEXT}'\n", block.text));
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
    let run = finished(command.output().unwrap());
    let printed = run.stdout.split(&format!("\n{NEXT}\n")).map(str::to_owned).collect();
    (run, printed)
}

/// Whether a line is one that is shown: `…` for anything, white space as one.
fn fits(shown: &str, line: &str) -> bool {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (shown, line) = (words(shown), words(line));
    let mut pieces = shown.split('…');
    let Some(mut rest) = line.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

/// What a page shows of a block's output and the block did not print, and the codes that it tells unannounced.
fn differs(shown: &str, printed: &str) -> Vec<String> {
    let mut lines = printed.lines();
    let mut differences: Vec<String> = shown
        .lines()
        .filter(|wanted| !lines.by_ref().any(|line| fits(wanted, line)))
        .map(|wanted| format!("not printed, or not in this order: {wanted}"))
        .collect();
    let codes = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.starts_with("exit ")).map(str::to_owned).collect()
    };
    if codes(shown) != codes(printed) {
        differences.push(format!("announced {:?}, and ended with {:?}", codes(shown), codes(printed)));
    }
    differences
}

/// What is wrong with a page's session.
fn wrong_with(blocks: &[Block]) -> Vec<String> {
    let runs = |block: &Block| block.is_shell() && block.reason().is_none() && block.text != ITSELF;
    let shell: Vec<&Block> = blocks.iter().filter(|block| runs(block)).collect();
    let (run, printed) = session(&shell);
    if run.code != 0 {
        return vec![format!("exit {}\n{}", run.code, run.stdout)];
    }
    let shown = (0..blocks.len()).filter(|at| runs(&blocks[*at])).map(|at| match blocks.get(at + 1) {
        Some(next) if next.info == "output" => next.text.as_str(),
        _ => "",
    });
    let pairs = shown.zip(&printed);
    pairs
        .flat_map(|(shown, printed)| {
            let found = differs(shown, printed);
            let context = (!found.is_empty()).then(|| format!("printed:\n{printed}"));
            found.into_iter().chain(context)
        })
        .collect()
}

#[test]
fn what_is_shown_has_to_be_printed() {
    assert!(
        fits("allowed", " allowed") && fits("a … d", "a b  c d ") && fits("… deny … x", "12  deny  y, x")
    );
    assert!(!fits("allowed", "would be allowed") && !fits("a … d", "a b c") && !fits("exit 1", "exit 13"));
    assert_eq!(differs("a\nexit 10\n", "a\nb\nexit 10\n"), Vec::<String>::new());
    assert_eq!(differs("b\na\n", "a\nb\n"), ["not printed, or not in this order: a"]);
    assert_eq!(differs("", "exit 2\n"), ["announced [], and ended with [\"exit 2\"]"]);
    assert_eq!(differs("exit 10\n", "exit 2\n").len(), 2);
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
            .map(|(name, blocks)| (name, scope.spawn(move || wrong_with(&blocks))))
            .collect();
        let ended = runs.into_iter().map(|(name, run)| (name, run.join().unwrap()));
        ended
            .filter(|(_, wrong)| !wrong.is_empty())
            .map(|(name, wrong)| format!("{name}: {}", wrong.join("\n")))
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
    let (flags, mut verbs) = known();
    // What is said not to be built is held against the program by a test of its own.
    let later = not_built(&fs::read_to_string(root().join("README.md")).unwrap());
    verbs.extend(later.into_iter().map(|(family, verb)| if family.is_empty() { verb } else { family }));
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

/// The verbs of a family that the README says are not built yet: `laforge audit tail`, `stats` and so on, up to a
/// semicolon.
fn not_built(readme: &str) -> Vec<(String, String)> {
    let (_, list) = readme.split_once("**Not built yet.**").unwrap();
    let list = list.split("\n## ").next().unwrap();
    let mut verbs = Vec::new();
    for clause in list.split(';') {
        let mut family = None;
        for span in clause.split('`').skip(1).step_by(2) {
            let words: Vec<&str> = span.split(' ').collect();
            match (&words[..], family) {
                (["laforge", verb], _) => verbs.push((String::new(), (*verb).to_owned())),
                (["laforge", of, verb], _) => {
                    family = Some(*of);
                    verbs.push(((*of).to_owned(), (*verb).to_owned()));
                }
                ([verb], Some(of)) => verbs.push((of.to_owned(), (*verb).to_owned())),
                _ => {}
            }
        }
    }
    verbs
}

#[test]
fn what_the_readme_calls_not_built_is_refused_by_name_and_nothing_else_is() {
    let verbs = not_built(&fs::read_to_string(root().join("README.md")).unwrap());
    let example = Example::new();
    for (family, verb) in &verbs {
        let words = [family.as_str(), verb].into_iter().filter(|word| !word.is_empty());
        let run = example.run(&words.collect::<Vec<_>>()).ends(2);
        assert!(run.stderr.contains("is not built yet"), "{family} {verb}: {}", run.stderr);
    }
    let audit = fs::read_to_string(root().join("src/cli/audit.rs")).unwrap();
    let later = audit.split_once("const LATER: [").unwrap().1.split("];").next().unwrap().to_owned();
    let later: BTreeSet<&str> = later.split('"').skip(1).step_by(2).collect();
    let named: BTreeSet<&str> =
        verbs.iter().filter(|(family, _)| family == "audit").map(|(_, verb)| verb.as_str()).collect();
    assert_eq!(named, later);
}

#[test]
fn every_member_of_rollout_is_in_the_table_of_its_page() {
    let page = fs::read_to_string(root().join("docs/rollout.md")).unwrap();
    let rows: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let schema = Example::empty().run(&["schema", "config"]).ends(0).json();
    let members = schema["$defs"]["RolloutSection"]["properties"].as_object().unwrap();
    let missing: Vec<&String> = members.keys().filter(|member| !rows.contains(member.as_str())).collect();
    assert!(missing.is_empty() && members.len() > 20, "not in docs/rollout.md: {missing:?}");
}
