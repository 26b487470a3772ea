//! The trusted roots of public Sigstore instances, as shipped with this program.
//!
//! In: an instance's name. Out: the bytes of its `trusted_root.json`
//! (<https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto>).
//! The one place beside `evidence/bundle` that names the `sigstore` crate, for these bytes alone.

use sigstore::trust_root::SigstoreInstance;

/// The instances that have an embedded root.
pub const INSTANCES: [&str; 3] = ["public-good", "staging", "github"];

/// The embedded `trusted_root.json` of an instance.
pub fn embedded_root(instance: &str) -> Option<&'static str> {
    let instance = match instance {
        "public-good" => SigstoreInstance::PublicGood,
        "staging" => SigstoreInstance::Staging,
        "github" => SigstoreInstance::GitHub,
        _ => return None,
    };
    Some(instance.embedded_trusted_root_json())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_a_distinct_root_for_every_instance() {
        let roots: std::collections::BTreeSet<_> =
            INSTANCES.iter().map(|name| embedded_root(name).unwrap()).collect();
        assert_eq!(roots.len(), INSTANCES.len());
        assert!(roots.iter().all(|root| crate::json::parse(root.as_bytes()).unwrap().is_object()));
        assert_eq!(embedded_root("sigstore"), None);
    }
}
