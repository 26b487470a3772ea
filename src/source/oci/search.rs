//! Evidence of images in their registries.
//!
//! In: the digests of images that came from a registry, and of each platform. Out: everything attached to
//! them, wherever tools put it: what refers to it (referrers, or the tag that stands in for the list) and
//! cosign's tags `sha256-….sig` and `sha256-….att`.
//!
//! Spec: <https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md>, `BUNDLE_SPEC.md`.
//! A tag that is not there is absence; whatever else fails is unreachable, and where a run has asked for all
//! that it may, so is the rest. An index leads to what it lists, wherever it was found, as in an OCI layout.
//! What BuildKit puts beside platforms is signed by nobody: counted, never evidence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};

use super::Registries;
use super::client::{Client, Wanted};
use super::fault::Fault;
use super::place::Place;
use super::referrers::{self, Listed};
use crate::evidence::limits::{DOCUMENT_BYTES, TOTAL_BYTES};
use crate::evidence::{OverLimit, Unreadable};
use crate::release::digest::{ClaimedDigest, Digest};
use crate::release::resolved::Image;
use crate::source::attached::{self, Descriptor, Layer};
use crate::source::intake::Intake;
use crate::workers;

/// Images whose evidence is looked for at a time: more than the requests at a time wait for each other.
const MAX_SEARCHES: usize = 8;

/// Manifests with evidence of one digest; its referrers alone may be a few hundred.
const MAX_MANIFESTS: usize = 1024;

/// One digest of which evidence is wanted.
pub(in crate::source) struct Subject<'a> {
    repository: &'a str,
    digest: ClaimedDigest,
}

impl<'a> Subject<'a> {
    /// The digest.
    pub(in crate::source) fn digest(&self) -> &ClaimedDigest {
        &self.digest
    }

    /// The image, then its platforms.
    pub(in crate::source) fn of(digest: ClaimedDigest, image: &'a Image) -> Vec<Self> {
        let leaves = image.leaves.iter().map(|leaf| leaf.digest.digest().claim());
        let repository = image.repository.as_str();
        std::iter::once(digest).chain(leaves).map(|digest| Self { repository, digest }).collect()
    }
}

impl Registries<'_> {
    /// Looks for the evidence of all, several at a time; what is found comes in their order.
    pub(in crate::source) fn search(&self, subjects: &[Subject<'_>], intake: &mut Intake) {
        let read = AtomicU64::new(0);
        for found in workers::on_each(subjects, MAX_SEARCHES, |subject| search(self, subject, &read)) {
            found.into_intake(intake);
        }
    }
}

fn search(registries: &Registries<'_>, subject: &Subject<'_>, read: &AtomicU64) -> Found {
    let mut found = Found::default();
    let reached = registries.client().and_then(|client| Ok((client, Place::of(subject.repository)?)));
    match reached {
        Ok((client, place)) => {
            let (seen, next) = (BTreeSet::new(), VecDeque::new());
            Search { client, place, subject, read, found: &mut found, seen, next, is_over: false }.all();
        }
        Err(fault) => {
            found.unreachable.insert(format!("{}@{}", subject.repository, subject.digest), fault);
        }
    }
    found
}

/// What was found of one digest.
#[derive(Default)]
struct Found {
    documents: Vec<(String, Vec<u8>, Option<Unreadable>)>,
    /// By what could not be had, the first reason: a manifest may name the same blob again and again.
    unreachable: BTreeMap<String, Fault>,
    /// Bytes of what led to them, which count as they do.
    manifest_bytes: usize,
    ignored: u64,
    over: Option<OverLimit>,
}

impl Found {
    fn into_intake(self, intake: &mut Intake) {
        intake.weigh(self.manifest_bytes);
        for (source, bytes, problem) in self.documents {
            intake.take(&source, bytes, problem);
        }
        for (source, fault) in &self.unreachable {
            intake.unreachable(source, fault);
        }
        intake.ignore(self.ignored);
        if let Some(over) = self.over {
            intake.exceed(over);
        }
    }
}

/// A search for what is attached to one digest.
struct Search<'a> {
    client: &'a Client<'a>,
    place: Place,
    subject: &'a Subject<'a>,
    /// Bytes that all searches have read: a fuse, since nothing is counted before all are done.
    read: &'a AtomicU64,
    found: &'a mut Found,
    seen: BTreeSet<ClaimedDigest>,
    /// Manifests that are listed and not yet read.
    next: VecDeque<ClaimedDigest>,
    /// Whether nothing more of this digest is asked for.
    is_over: bool,
}

impl Search<'_> {
    fn all(&mut self) {
        let tag = format!("sha256-{}", self.subject.digest.hex());
        match referrers::list(self.client, &self.place, &self.subject.digest) {
            Ok(Listed::These { read, left_out, over }) => {
                self.found.ignored += left_out;
                if let Some(over) = over {
                    // By the fault of this one list, so that what else there is is read.
                    let source = Some(self.source(&self.subject.digest.to_string()));
                    self.over(OverLimit { source, ..over });
                }
                self.list("referrers", &read);
                self.listed();
            }
            Ok(Listed::NoLists) => self.tag(&tag),
            Err(fault) => {
                // Whether it keeps lists is not known, so what stands in for one may be there.
                self.unreachable("referrers", fault);
                self.tag(&tag);
            }
        }
        self.tag(&format!("{tag}.sig"));
        self.tag(&format!("{tag}.att"));
    }

    /// What a tag holds. It is only ever a way to find evidence, which speaks for itself.
    fn tag(&mut self, tag: &str) {
        if self.is_over {
            return;
        }
        if let Some(bytes) = self.manifest(tag)
            && self.seen.insert(Digest::of_bytes(&bytes).claim())
        {
            self.document(tag, &bytes);
            self.listed();
        }
    }

    /// Puts down what a document lists, each once, to be read after it.
    fn list(&mut self, named_in: &str, listed: &[Descriptor]) {
        for descriptor in listed {
            match descriptor.digest() {
                Ok(digest) if self.seen.insert(digest.clone()) => self.next.push_back(digest),
                Ok(_) => {}
                Err(problem) => self.unreadable(named_in, descriptor.written().as_bytes(), problem),
            }
        }
        if self.seen.len() > MAX_MANIFESTS {
            self.over(OverLimit::by_one("manifests with evidence of one image", MAX_MANIFESTS as u64));
        }
    }

    /// Reads what is listed, and what that lists.
    fn listed(&mut self) {
        while let Some(digest) = self.next.pop_front() {
            if self.is_over {
                return;
            }
            self.one_listed(&digest);
        }
    }

    fn one_listed(&mut self, digest: &ClaimedDigest) {
        let reference = digest.to_string();
        let bytes = match self.client.cached(digest, || self.client.manifest(&self.place, &reference)) {
            Ok(Some(bytes)) => bytes,
            // The list says that there is one: that it can't be had is no absence.
            Ok(None) => return self.gone(&reference),
            Err(fault) => return self.unreachable(&reference, fault),
        };
        match Digest::of_bytes(&bytes) == *digest {
            true => self.document(&reference, &bytes),
            false => self.other_bytes(&reference),
        }
    }

    /// A manifest or index: its layers, and what it lists.
    fn document(&mut self, reference: &str, bytes: &[u8]) {
        if !self.weigh(bytes.len()) {
            return;
        }
        self.found.manifest_bytes += bytes.len();
        match attached::read(bytes) {
            Ok(listing) => {
                self.found.ignored += listing.unsigned;
                for layer in &listing.layers {
                    self.layer(reference, layer);
                }
                self.list(reference, &listing.manifests);
            }
            Err(problem) => self.unreadable(reference, bytes, problem),
        }
    }

    fn layer(&mut self, manifest: &str, layer: &Layer) {
        if self.is_over {
            return;
        }
        let digest = match layer.descriptor().digest() {
            Ok(digest) => digest,
            Err(problem) => {
                return self.unreadable(manifest, layer.descriptor().written().as_bytes(), problem);
            }
        };
        let reference = digest.to_string();
        let fetch = || {
            let wanted = Wanted::Blob(reference.clone());
            let answer = self.client.get(&self.place, &wanted, DOCUMENT_BYTES as u64)?;
            Ok(answer.map(super::answer::Answer::into_body))
        };
        match self.client.cached(&digest, fetch) {
            Ok(Some(bytes)) if Digest::of_bytes(&bytes) == digest => {
                if self.weigh(bytes.len()) {
                    let source = self.source(&reference);
                    let (document, problem) = layer.document(bytes);
                    self.found.documents.push((source, document, problem));
                }
            }
            Ok(Some(_)) => self.other_bytes(&reference),
            Ok(None) => self.gone(&reference),
            Err(Fault::TooLarge { limit, .. }) => {
                let source = self.source(&reference);
                self.over(OverLimit::in_file(source, "bytes of one evidence file", limit));
            }
            Err(fault) => self.unreachable(&reference, fault),
        }
    }

    fn manifest(&mut self, reference: &str) -> Option<Vec<u8>> {
        match self.client.manifest(&self.place, reference) {
            Ok(bytes) => bytes,
            Err(fault) => {
                self.unreachable(reference, fault);
                None
            }
        }
    }

    /// Whether these bytes still fit into what is taken in all.
    fn weigh(&mut self, bytes: usize) -> bool {
        let before = self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        let fits = before.saturating_add(bytes as u64) <= TOTAL_BYTES;
        if !fits {
            self.over(OverLimit::by_one("bytes of evidence", TOTAL_BYTES));
        }
        fits
    }

    fn source(&self, reference: &str) -> String {
        match reference.starts_with("sha256:") {
            true => format!("{}@{reference}", self.subject.repository),
            false => format!("{}:{reference}", self.subject.repository),
        }
    }

    fn other_bytes(&mut self, reference: &str) {
        let (host, wanted) = (self.place.host().to_owned(), reference.to_owned());
        self.unreachable(reference, Fault::OtherBytes { host, wanted });
    }

    fn gone(&mut self, reference: &str) {
        let host = self.place.host().to_owned();
        self.unreachable(reference, Fault::Gone { host });
    }

    fn unreachable(&mut self, reference: &str, fault: Fault) {
        let source = match reference {
            "referrers" => format!("{}@{} (referrers)", self.subject.repository, self.subject.digest),
            reference => self.source(reference),
        };
        self.is_over |= fault.is_the_end();
        self.found.unreachable.entry(source).or_insert(fault);
    }

    fn unreadable(&mut self, reference: &str, bytes: &[u8], problem: Unreadable) {
        self.found.documents.push((self.source(reference), bytes.to_vec(), Some(problem)));
    }

    fn over(&mut self, over: OverLimit) {
        self.is_over |= over.source.is_none();
        self.found.over.get_or_insert(over);
    }
}
