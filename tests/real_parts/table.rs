//! What was signed, by whom, and what each verifier makes of it: printed, and compared.

use super::parts::tell;

/// One bundle and two verdicts.
pub struct Row {
    pub what: &'static str,
    pub by: String,
    pub laforge: bool,
    pub cosign: bool,
}

/// Prints the rows and asserts that both verifiers agree on each.
#[track_caller]
pub fn agree(title: &str, rows: &[Row]) {
    let word = |verdict: bool| if verdict { "verified" } else { "refused" };
    let heads = ["what was signed", "by whom"];
    let what = rows.iter().map(|row| row.what.len()).max().unwrap_or_default().max(heads[0].len());
    let by = rows.iter().map(|row| row.by.len()).max().unwrap_or_default();
    tell(&format!("\n{title}\n{:what$}  {:by$}  {:8}  cosign\n", heads[0], heads[1], "laforge"));
    for row in rows {
        let (laforge, cosign) = (word(row.laforge), word(row.cosign));
        tell(&format!("{:what$}  {:by$}  {laforge:8}  {cosign}\n", row.what, row.by));
    }
    let differing: Vec<&str> =
        rows.iter().filter(|row| row.laforge != row.cosign).map(|row| row.what).collect();
    assert!(differing.is_empty(), "the two differ on {differing:?}");
}
