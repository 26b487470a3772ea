//! What refers to a digest: the list that a registry keeps, or the tag that stands in for it.
//!
//! In: a digest. Out: the digests of manifests that may hold evidence of it, each once. A list says of each
//! what type it is; that is not believed, and all are read, unless there are more than [`MAX_READ`]. Then
//! those are left out, and counted, that the list calls what no evidence is called; and where a list is too
//! long to be read whole, or too much of it may be evidence, it is asked for type by type. What may be evidence
//! and is left out even so is a limit that was exceeded: the rest is read, and the run denies.
//! Spec: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-referrers>
//! and "Referrers tag schema" there. `OCI-Filters-Applied` is not needed: layers say what they are.

use std::collections::BTreeSet;

use reqwest::Url;
use reqwest::header::LINK;

use super::answer::Answer;
use super::client::{Client, Wanted};
use super::fault::Fault;
use super::place::{Place, same_origin};
use crate::evidence::{OverLimit, bundle, envelope};
use crate::release::digest::ClaimedDigest;
use crate::release::image::MAX_MANIFEST;
use crate::release::image::document::INDEXES;
use crate::source::attached::{self, ARTIFACT_TYPES, Descriptor, is_evidence_type, may_be_evidence_type};

/// Referrers of one digest that are all read. An image has a handful; scanners that run daily leave
/// hundreds.
const MAX_READ: usize = 256;

/// Referrers of one digest, in all pages.
const MAX_LISTED: usize = 4096;

/// Pages of one list.
const MAX_PAGES: usize = 64;

/// Types of what is read here: asked for, each as it is written, where a list is too long to read all of it.
const TYPES: [&str; 5] = [
    bundle::MEDIA_TYPE,
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "application/vnd.dev.sigstore.bundle+json;version=0.1",
    envelope::MEDIA_TYPE,
];

/// What is counted where too many are listed.
const REFERRERS: &str = "referrers of one image";

/// The same, where those that can't be evidence are left out.
const MAYBE_EVIDENCE: &str = "referrers of one image that may be evidence";

/// What a registry lists.
pub(super) enum Listed {
    /// All that may hold evidence.
    These {
        /// What is read.
        read: Vec<Descriptor>,
        /// How many are left out, since the list calls them what no evidence is called.
        left_out: u64,
        /// That something is left out which may be evidence.
        over: Option<OverLimit>,
    },
    /// The registry keeps no lists: a tag stands in.
    NoLists,
}

/// Lists what refers to a digest.
pub(super) fn list(client: &Client<'_>, place: &Place, digest: &ClaimedDigest) -> Result<Listed, Fault> {
    let (found, is_whole, mut over) = match pages(client, place, digest, None)? {
        Pages::None => return Ok(Listed::NoLists),
        Pages::All(found) => (once_each(found), true, None),
        Pages::TooLong { seen, unseen } => (once_each(seen), false, unseen),
    };
    if is_whole && found.len() <= MAX_READ {
        return Ok(Listed::These { read: found, left_out: 0, over: None });
    }
    let (mut read, others): (Vec<_>, Vec<_>) = found.into_iter().partition(may_be_evidence);
    let (wanted, others) = (digests(&read), digests(&others));
    if !is_whole || wanted.len() > MAX_READ {
        if wanted.len() > MAX_READ {
            // Beside what is asked for by type, what the list itself calls evidence: of a version without a question.
            read.retain(is_called_evidence);
        }
        let (asked_for, unanswered) = of_known_types(client, place, digest)?;
        read.extend(asked_for);
        read = once_each(read);
        over = over.or(unanswered);
    }
    if read.len() > MAX_READ {
        read.truncate(MAX_READ);
        over.get_or_insert(too_many(MAYBE_EVIDENCE, MAX_READ));
    }
    let known = digests(&read);
    if !wanted.is_subset(&known) {
        over.get_or_insert(too_many(MAYBE_EVIDENCE, MAX_READ));
    }
    let left_out = others.difference(&known).count() as u64;
    Ok(Listed::These { read, left_out, over })
}

fn is_called_evidence(one: &Descriptor) -> bool {
    one.artifact_type().is_some_and(is_evidence_type)
}

fn may_be_evidence(one: &Descriptor) -> bool {
    may_be_evidence_type(one.artifact_type())
}

/// The same without repetitions: a registry that doesn't filter gives one list for every type.
fn once_each(mut list: Vec<Descriptor>) -> Vec<Descriptor> {
    let mut seen = BTreeSet::new();
    list.retain(|one| seen.insert(one.written().to_owned()));
    list
}

fn digests(list: &[Descriptor]) -> BTreeSet<String> {
    list.iter().map(|one| one.written().to_owned()).collect()
}

/// Asks for one type after the other, until one list is too long as well: then nobody knows what else there is.
fn of_known_types(
    client: &Client<'_>,
    place: &Place,
    digest: &ClaimedDigest,
) -> Result<(Vec<Descriptor>, Option<OverLimit>), Fault> {
    let mut all = Vec::new();
    let mut over = None;
    for of_type in TYPES.into_iter().chain(ARTIFACT_TYPES) {
        let found = match pages(client, place, digest, Some(of_type))? {
            Pages::All(found) => found,
            Pages::TooLong { seen, unseen } => {
                over = unseen;
                seen
            }
            // It keeps lists, as the first question showed: this one is only too long to be read.
            Pages::None => {
                over = Some(too_many(REFERRERS, MAX_READ));
                Vec::new()
            }
        };
        // A registry that doesn't filter gives each list whole.
        all.extend(found.into_iter().filter(may_be_evidence));
        if over.is_some() {
            break;
        }
    }
    Ok((all, over))
}

/// The pages of one list.
enum Pages {
    All(Vec<Descriptor>),
    None,
    TooLong {
        /// Those of the first pages.
        seen: Vec<Descriptor>,
        /// That there are pages which nobody looked at.
        unseen: Option<OverLimit>,
    },
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
        next = following(place, digest, &answer)?.map(Wanted::Page);
        if found.len() > MAX_LISTED {
            let unseen = next.map(|_| too_many(REFERRERS, MAX_LISTED));
            return Ok(Pages::TooLong { seen: found, unseen });
        }
    }
    let unseen = next.map(|_| too_many("pages of referrers of one image", MAX_PAGES));
    Ok(Pages::TooLong { seen: found, unseen })
}

fn too_many(what: &'static str, limit: usize) -> OverLimit {
    OverLimit::by_one(what, limit as u64)
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
