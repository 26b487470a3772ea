//! The evidence as a graph: the release, its artifacts, what was said of each, and who said it.
//!
//! In: the report's facts. Out: an SVG, and the same as a list, which is the text that a screen reader gets. What was
//! proved has a whole line and a green one; what is missing has a dashed one.

use maud::{Markup, html};

use super::super::page::shown;
use super::super::parts::icon;
use super::super::told::Told;
use crate::audit::entry::decision::DecisionEntry;
use crate::report::paint::short;

/// Artifacts that are drawn; the list has more.
const MOST: usize = 12;
/// How high a row is, and a box in it.
const ROW: usize = 52;
const BOX: usize = 40;
/// Where columns begin, and how wide boxes are.
const COLUMNS: [usize; 4] = [0, 260, 540, 820];
const WIDE: [usize; 4] = [196, 216, 216, 180];

/// A box.
struct Node {
    column: usize,
    row: f64,
    class: &'static str,
    title: String,
    sub: String,
}

/// A line between two boxes.
struct Edge {
    from: usize,
    to: usize,
    good: &'static str,
}

#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
    edges: Vec<Edge>,
    rows: usize,
}

impl Graph {
    fn node(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn edge(&mut self, from: usize, to: usize, good: &'static str) {
        self.edges.push(Edge { from, to, good });
    }

    /// The box of a party, made once.
    fn party(&mut self, title: &str, sub: &str, row: f64) -> usize {
        let known =
            self.nodes.iter().position(|node| node.column == 3 && node.title == title && node.sub == sub);
        let node = || Node { column: 3, row, class: "n-good", title: title.to_owned(), sub: sub.to_owned() };
        match known {
            Some(known) => known,
            None => self.node(node()),
        }
    }
}

pub(super) fn section(decision: &DecisionEntry, report: Told<'_>) -> Markup {
    let Some(facts) = report.at("/facts") else {
        return html! {
            section.card { header { h2 { "Evidence" } } div.body { p.soft { "Nothing was proved: the artifacts are not what the release claims, or the report is not here." } } }
        };
    };
    let graph = graph(decision, facts);
    html! {
        section.card {
            header { h2 { "Evidence" } span.right { (decision.totals.inputs) " pieces read" } }
            div.body {
                div.scroll tabindex="0" role="region" aria-label="Evidence as a graph" { (drawn(&graph)) }
                details { summary { "As a list" } (listed(facts)) }
            }
        }
    }
}

fn graph(decision: &DecisionEntry, facts: Told<'_>) -> Graph {
    let mut graph = Graph::default();
    let release = &decision.release;
    let root = graph.node(Node {
        column: 0,
        row: 0.0,
        class: "n-release",
        title: format!("{} {}", release.name, release.version),
        sub: release.environment.clone(),
    });
    let mut row = 0;
    for artifact in facts.list("/artifacts").take(MOST) {
        row = artifact_rows(&mut graph, root, artifact, row);
    }
    for approval in facts.list("/approvals").take(MOST) {
        let (good, line) = match approval.text("/decision") {
            "approved" => ("n-good", "good"),
            _ => ("n-bad", "bad"),
        };
        let said = graph.node(Node {
            column: 2,
            row: at(row),
            class: good,
            title: approval.text("/decision").to_owned(),
            sub: format!("{} · {}", approval.text("/timeKind"), short(approval.text("/evidence"))),
        });
        let roles = approval.texts("/roles").join(", ");
        let party = graph.party(approval.text("/person"), &roles, at(row));
        graph.edge(root, said, line);
        graph.edge(said, party, line);
        row += 1;
    }
    graph.rows = row.max(1);
    let middle = at(graph.rows.saturating_sub(1)) / 2.0;
    if let Some(root) = graph.nodes.get_mut(root) {
        root.row = middle;
    }
    spread(&mut graph);
    graph
}

/// An artifact, and below each other what was said of it; gives the next free row.
fn artifact_rows(graph: &mut Graph, root: usize, artifact: Told<'_>, first: usize) -> usize {
    let said: Vec<(String, String, &str, String)> = artifact
        .list("/signatures")
        .map(|it| {
            ("signature".to_owned(), short(it.text("/evidence")), it.text("/signer"), "signer".to_owned())
        })
        .chain(artifact.list("/provenances").map(|it| {
            let level = format!("provenance, level {}", it.number("/level").unwrap_or_default());
            (level, short(it.text("/evidence")), it.text("/signer"), it.text("/builder").to_owned())
        }))
        .chain(artifact.list("/attestations").map(|it| {
            let kind =
                it.text("/predicateType").rsplit('/').find(|part| !part.is_empty()).unwrap_or("attestation");
            (kind.to_owned(), short(it.text("/evidence")), it.text("/signer"), "signer".to_owned())
        }))
        .collect();
    let rows = said.len().max(1);
    let read = artifact.is("/read");
    let own = graph.node(Node {
        column: 1,
        row: at(first) + at(rows - 1) / 2.0,
        class: if said.is_empty() { "n-bad" } else { "n-good" },
        title: artifact.text("/name").to_owned(),
        sub: format!("{} · {}", short(artifact.text("/digest")), if read { "read" } else { "named only" }),
    });
    graph.edge(root, own, if read { "good" } else { "" });
    for (row, (title, sub, signer, builder)) in (first..).zip(said) {
        let node = graph.node(Node { column: 2, row: at(row), class: "n-good", title, sub });
        let party = graph.party(signer, &builder, at(row));
        graph.edge(own, node, "good");
        graph.edge(node, party, "good");
    }
    first + rows
}

/// Parties stand beside what they said, one below the other.
fn spread(graph: &mut Graph) {
    let parties: Vec<usize> =
        graph.nodes.iter().enumerate().filter(|(_, node)| node.column == 3).map(|(at, _)| at).collect();
    let mut wanted: Vec<(f64, usize)> = parties
        .iter()
        .map(|party| {
            let rows: Vec<f64> = graph
                .edges
                .iter()
                .filter(|edge| edge.to == *party)
                .filter_map(|edge| graph.nodes.get(edge.from).map(|node| node.row))
                .collect();
            (rows.iter().sum::<f64>() / at(rows.len().max(1)), *party)
        })
        .collect();
    wanted.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut next = 0.0_f64;
    for (row, party) in wanted {
        let row = row.max(next);
        if let Some(node) = graph.nodes.get_mut(party) {
            node.row = row;
        }
        next = row + 1.0;
    }
}

fn at(row: usize) -> f64 {
    row as f64
}

fn drawn(graph: &Graph) -> Markup {
    let deepest = graph.nodes.iter().map(|node| node.row).fold(0.0, f64::max);
    let high = (deepest + 1.0) * at(ROW) + 28.0;
    let heads = ["Release", "Artifacts", "What was said", "Who said it"];
    html! {
        svg.graph viewBox={ "-1 0 1002 " (super::super::charts::fixed(high)) } role="img" aria-label="Which evidence speaks for which artifact; the list below says the same" {
            @for (x, head) in COLUMNS.iter().zip(heads) { text.head x=(x + 2) y="14" { (head) } }
            @for edge in &graph.edges { (edge_path(graph, edge)) }
            @for node in &graph.nodes { (node_box(node)) }
        }
    }
}

fn top(node: &Node) -> f64 {
    28.0 + node.row * at(ROW)
}

fn edge_path(graph: &Graph, edge: &Edge) -> Markup {
    let (Some(from), Some(to)) = (graph.nodes.get(edge.from), graph.nodes.get(edge.to)) else {
        return html! {};
    };
    let left = COLUMNS.get(from.column).zip(WIDE.get(from.column)).map_or(0, |(x, wide)| x + wide);
    let right = COLUMNS.get(to.column).copied().unwrap_or_default();
    let half = at(BOX) / 2.0;
    let (y1, y2) = (top(from) + half, top(to) + half);
    let middle = (left + right) / 2;
    let fixed = super::super::charts::fixed;
    let d =
        format!("M{left} {} C{middle} {} {middle} {} {right} {}", fixed(y1), fixed(y1), fixed(y2), fixed(y2));
    html! { path class={ "edge " (edge.good) } d=(d) {} }
}

fn node_box(node: &Node) -> Markup {
    let x = COLUMNS.get(node.column).copied().unwrap_or_default();
    let wide = WIDE.get(node.column).copied().unwrap_or_default();
    let y = top(node);
    let fixed = super::super::charts::fixed;
    let letters = wide / 8;
    html! {
        g class=(node.class) {
            title { (shown(&node.title)) " — " (shown(&node.sub)) }
            rect x=(x) y=(fixed(y)) width=(wide) height=(BOX) rx="8" {}
            text x=(x + 12) y=(fixed(y + 17.0)) { (cut(&node.title, letters)) }
            text.sub x=(x + 12) y=(fixed(y + 32.0)) { (cut(&node.sub, letters + 2)) }
        }
    }
}

/// As much as fits into a box.
fn cut(text: &str, letters: usize) -> String {
    let text = shown(text);
    match text.chars().count() > letters {
        true => text.chars().take(letters.saturating_sub(1)).chain(['…']).collect(),
        false => text,
    }
}

fn listed(facts: Told<'_>) -> Markup {
    html! {
        ul.rows {
            @for artifact in facts.list("/artifacts").take(500) {
                li { div.grow {
                    strong { (shown(artifact.text("/name"))) } " " code.small { (short(artifact.text("/digest"))) }
                    ul.checks {
                        @for it in artifact.list("/signatures") { li.yes { (icon("check")) div { "signed by " (shown(it.text("/signer"))) (piece(it)) } } }
                        @for it in artifact.list("/provenances") {
                            li.yes { (icon("check")) div { "provenance by " (shown(it.text("/signer"))) " at level " (it.number("/level").unwrap_or_default())
                                div.sub { (shown(it.text("/builder"))) " from " (shown(it.text("/repository"))) " @ " (shown(it.text("/commit"))) } (piece(it)) } }
                        }
                        @for it in artifact.list("/attestations") { li.yes { (icon("check")) div { "attested by " (shown(it.text("/signer"))) ": " (shown(it.text("/predicateType"))) (piece(it)) } } }
                        @if artifact.list("/signatures").next().is_none() { li.no { (icon("cross")) div { "no signature was proved" } } }
                        @if artifact.list("/provenances").next().is_none() { li.no { (icon("cross")) div { "no provenance was proved" } } }
                    }
                } }
            }
            @for approval in facts.list("/approvals").take(500) {
                li { div.grow { (shown(approval.text("/decision"))) " by " strong { (shown(approval.text("/person"))) } " (" (shown(&approval.texts("/roles").join(", "))) ")" (piece(approval)) } }
            }
        }
    }
}

fn piece(it: Told<'_>) -> Markup {
    html! { div.sub { (super::piece(it.text("/evidence"))) } }
}
