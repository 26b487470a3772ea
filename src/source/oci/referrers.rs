//! What refers to a digest: the list that a registry keeps, or the tag that stands in for it.
//!
//! In: a digest. Out: the digests of manifests that may hold evidence of it. A list says of each what
//! type it is; that is not believed, and all are read, unless there are too many: then those of the
//! types that are read here are asked for.
//! Spec: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
//! and "Referrers tag schema" there. `OCI-Filters-Applied` is not needed: layers say what they are.

use reqwest::Url;
use reqwest::header::LINK;

use super::answer::Answer;
use super::client::{Client, Wanted};
use super::fault::Fault;
use super::place::{Place, same_origin};
use crate::evidence::OverLimit;
use crate::release::digest::ClaimedDigest;
use crate::release::image::MAX_MANIFEST;
use crate::release::image::document::INDEXES;
use crate::source::attached::{self, Descriptor};

/// Referrers of one digest that are all read. An image has a handful; scanners that run daily leave
/// hundreds.
const MAX_READ: usize = 256;

/// Referrers of one digest, in all pages.
const MAX_LISTED: usize = 4096;

/// Pages of one list.
const MAX_PAGES: usize = 64;

/// Types of what is read here: asked for when a list is too long to read all of it.
const TYPES: [&str; 3] = [
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dsse.envelope.v1+json",
    "application/vnd.dev.cosign.artifact.sig.v1+json",
];

/// What a registry lists.
pub(super) enum Listed {
    /// All that may hold evidence.
    All(Vec<Descriptor>),
    /// The registry keeps no lists: a tag stands in.
    NoLists,
    /// More than are read.
    TooMany(OverLimit),
}

/// Lists what refers to a digest.
pub(super) fn list(client: &Client<'_>, place: &Place, digest: &ClaimedDigest) -> Result<Listed, Fault> {
    match pages(client, place, digest, None)? {
        Pages::All(found) if found.len() <= MAX_READ => Ok(Listed::All(found)),
        Pages::None => Ok(Listed::NoLists),
        Pages::All(_) | Pages::TooMany(_) => of_known_types(client, place, digest),
    }
}

fn of_known_types(client: &Client<'_>, place: &Place, digest: &ClaimedDigest) -> Result<Listed, Fault> {
    let mut all = Vec::new();
    for of_type in TYPES {
        match pages(client, place, digest, Some(of_type))? {
            Pages::All(found) => all.extend(found),
            Pages::TooMany(over) => return Ok(Listed::TooMany(over)),
            // It keeps lists, as the first question showed: this one is only too long to be read.
            Pages::None => return Ok(Listed::TooMany(over("referrers of one image", MAX_READ))),
        }
    }
    // A registry that doesn't filter gives each list whole.
    let is_known = |one: &Descriptor| one.artifact_type().is_none_or(|said| TYPES.contains(&said));
    all.retain(is_known);
    match all.len() > MAX_READ {
        true => Ok(Listed::TooMany(over("referrers of one image", MAX_READ))),
        false => Ok(Listed::All(all)),
    }
}

/// The pages of one list.
enum Pages {
    All(Vec<Descriptor>),
    None,
    TooMany(OverLimit),
}

fn pages(
    client: &Client<'_>,
    place: &Place,
    digest: &ClaimedDigest,
    of_type: Option<&'static str>,
) -> Result<Pages, Fault> {
    let mut found = Vec::new();
    let mut next = Some(Wanted::Referrers(digest.to_string(), of_type));
    let problem = |problem| Fault::Listing { host: place.host().to_owned(), problem };
    for page in 0..MAX_PAGES {
        let Some(wanted) = next.take() else { return Ok(Pages::All(found)) };
        let answer = match client.get(place, &wanted, MAX_MANIFEST) {
            Ok(Some(answer)) => answer,
            // What registries say that know nothing of such lists. Whoever gave a first page does.
            Ok(None) if page == 0 => return Ok(Pages::None),
            Err(Fault::Refused { status: 400 | 405 | 406 | 501, .. }) if page == 0 => return Ok(Pages::None),
            Ok(None) => return Err(problem("names a further page and does not have it")),
            Err(fault) => return Err(fault),
        };
        answer.is_one_of(&INDEXES)?;
        let listing = attached::read(answer.body()).map_err(|_| problem("is no index"))?;
        found.extend(listing.manifests);
        if found.len() > MAX_LISTED {
            return Ok(Pages::TooMany(over("referrers of one image", MAX_LISTED)));
        }
        next = following(place, digest, &answer)?.map(Wanted::Page);
    }
    Ok(Pages::TooMany(over("pages of referrers of one image", MAX_PAGES)))
}

fn over(what: &'static str, limit: usize) -> OverLimit {
    OverLimit { source: None, what, limit: limit as u64, found: limit as u64 + 1 }
}

/// The next page, which is one of the same list on the same host.
fn following(place: &Place, digest: &ClaimedDigest, answer: &Answer) -> Result<Option<Url>, Fault> {
    let Some(link) = answer.texts(LINK).find_map(next_link) else { return Ok(None) };
    let elsewhere = || Fault::Listing { host: place.host().to_owned(), problem: "goes on elsewhere" };
    let url = answer.url().join(link).map_err(|_| elsewhere())?;
    let list = place.url(&format!("referrers/{digest}"))?;
    let plain = url.username().is_empty() && url.password().is_none();
    match plain && same_origin(&list, &url) && url.path() == list.path() {
        true => Ok(Some(url)),
        false => Err(elsewhere()),
    }
}

/// The target of `<…>; rel="next"`.
fn next_link(text: &str) -> Option<&str> {
    let (target, parameters) = text.trim().strip_prefix('<')?.split_once('>')?;
    let is_next = |one: &str| matches!(one.trim(), "rel=\"next\"" | "rel=next");
    parameters.split(';').any(is_next).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_link_to_the_next_page_only() {
        assert_eq!(next_link("</v2/a/referrers/x?n=2>; rel=\"next\""), Some("/v2/a/referrers/x?n=2"));
        assert_eq!(next_link("<x>; title=\"a\"; rel=next"), Some("x"));
        assert_eq!(next_link("<x>; rel=\"prev\""), None);
        assert_eq!(next_link("x; rel=\"next\""), None);
    }

    #[test]
    fn goes_on_to_no_other_list() {
        let place = Place::of("r.example/a").unwrap();
        let digest: ClaimedDigest = format!("sha256:{}", "a".repeat(64)).parse().unwrap();
        let list = place.url(&format!("referrers/{digest}")).unwrap();
        let go = |link: &str| {
            let headers = [(LINK, format!("<{link}>; rel=\"next\"").parse().unwrap())].into_iter().collect();
            following(&place, &digest, &Answer::new("r.example", list.clone(), 200, headers, Vec::new()))
        };
        assert_eq!(go("?n=2").unwrap().unwrap().query(), Some("n=2"));
        for link in [
            "https://evil.example/v2/a/referrers/x",
            "//evil.example/x",
            "http://r.example/v2/a/referrers/x",
            "/v2/b/referrers/x",
            "https://r.example:444/v2/a/referrers/x",
        ] {
            assert!(go(link).is_err(), "{link}");
        }
    }
}
