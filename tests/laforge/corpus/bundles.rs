//! Bundles on their own, through `verify-bundle`, as the corpus's own driver runs it.

use super::{Case, Verdict};
use crate::example::run_in;

/// What GitHub's releases are signed with names no issuer: nobody could be asked for.
const NO_ISSUER: &str = "an issuer that the certificate does not name";

/// `verify-bundle` for one case.
pub(super) fn judge(case: &Case<'_>) -> Result<Verdict, String> {
    let path = |role: &str| case.path(role).map(|path| path.to_str().unwrap().to_owned());
    let keyless = path("key").is_none();
    let issuer = case.said("issuer").unwrap_or(NO_ISSUER);
    let mut arguments = vec!["verify-bundle".to_owned()];
    let named = [
        ("--bundle", path("bundle")),
        ("--trusted-root", path("trusted_root")),
        ("--key", path("key")),
        ("--certificate-identity", case.said("identity").filter(|_| keyless).map(str::to_owned)),
        ("--certificate-oidc-issuer", keyless.then(|| issuer.to_owned())),
    ];
    for (flag, value) in named {
        arguments.extend(value.into_iter().flat_map(|value| [flag.to_owned(), value]));
    }
    let digest = case.file("digest").or_else(|| case.said("digest")).map(str::to_owned);
    arguments.extend(path("artifact").or(digest));
    let run = run_in(case.folder, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    // A usage error, a panic or a signal is no verdict, whatever was expected.
    match run.code {
        0 => Ok(Verdict::Pass),
        1 | 10 | 11 | 13 => Ok(Verdict::Fail(run.stderr)),
        2 if run.stderr.contains("cannot read `sha1:") => Ok(Verdict::Fail(run.stderr)), // no digest that ties
        code => Err(format!("exit {code}: {}", run.stderr)),
    }
}
