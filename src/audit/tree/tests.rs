//! The tree against its definition, an independent crate, and published vectors.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::*;
use crate::audit::corpus;

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|n| leaf_hash(format!("line {n}").as_bytes())).collect()
}

fn roots(leaves: &[Hash]) -> Vec<Hash> {
    let mut frontier = Frontier::default();
    let mut roots = vec![frontier.root()];
    for leaf in leaves {
        frontier.push(*leaf);
        roots.push(frontier.root());
    }
    roots
}

#[test]
fn frontier_folds_to_the_root_of_the_definition_and_proves_the_next_leaf() {
    let leaves = leaves(600);
    let mut frontier = Frontier::default();
    for (index, leaf) in leaves.iter().enumerate() {
        let proof = frontier.proof_of_next();
        frontier.push(*leaf);
        assert_eq!(frontier.root(), root(&leaves[..=index]));
        assert_eq!(inclusion_proof(&leaves[..=index], index).unwrap(), proof);
        let again = Frontier::from_parts(frontier.size(), frontier.hashes().to_vec()).unwrap();
        assert_eq!(again, frontier);
        assert!(Frontier::from_parts(frontier.size() + 1, vec![]).is_none());
    }
}

#[test]
fn proofs_hold_for_every_pair_up_to_160_and_for_no_other_place() {
    let leaves = leaves(160);
    let roots = roots(&leaves);
    for size in 1..=leaves.len() {
        for (index, leaf) in leaves[..size].iter().enumerate() {
            let proof = inclusion_proof(&leaves[..size], index).unwrap();
            let holds = |at: u64, size: u64| verify_inclusion(leaf, at, size, &proof, &roots[size as usize]);
            assert!(holds(index as u64, size as u64), "{index} of {size}");
            assert!(!verify_inclusion(leaf, index as u64 + 1, size as u64, &proof, &roots[size]));
            assert!(!verify_inclusion(leaf, index as u64, size as u64, &proof, &roots[size - 1]));
            let old = index + 1;
            let proof = consistency_proof(&leaves[..size], old).unwrap();
            let head = |size: usize| Head { size: size as u64, root: roots[size] };
            assert!(verify_consistency(&head(old), &head(size), &proof), "{old} to {size}");
            assert!(!verify_consistency(&Head { root: roots[old - 1], ..head(old) }, &head(size), &proof));
            assert!(!verify_consistency(&head(old), &Head { root: roots[size - 1], ..head(size) }, &proof));
        }
    }
}

#[test]
fn every_pair_up_to_512_holds_on_a_sparse_grid_of_sizes() {
    let leaves = leaves(512);
    let roots = roots(&leaves);
    for size in [161, 255, 256, 257, 300, 383, 384, 385, 511, 512] {
        for old in 1..=size {
            let proof = consistency_proof(&leaves[..size], old).unwrap();
            let head = |size: usize| Head { size: size as u64, root: roots[size] };
            assert!(verify_consistency(&head(old), &head(size), &proof), "{old} to {size}");
            let proof = inclusion_proof(&leaves[..size], old - 1).unwrap();
            assert!(verify_inclusion(&leaves[old - 1], old as u64 - 1, size as u64, &proof, &roots[size]));
        }
    }
}

#[test]
fn an_independent_tree_gives_the_same_roots_and_proofs() {
    let mut other = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
    let mut ours = Vec::new();
    for n in 0..130_usize {
        let line = format!("line {n}").into_bytes();
        ours.push(leaf_hash(&line));
        other.push(line);
        assert_eq!(other.root().as_bytes().as_slice(), root(&ours).as_bytes());
        let theirs = other.prove_inclusion(n / 2);
        let flat: Vec<u8> =
            inclusion_proof(&ours, n / 2).unwrap().iter().flat_map(|h| h.as_bytes().to_vec()).collect();
        assert_eq!(theirs.as_bytes(), flat);
    }
}

proptest! {
    #[test]
    fn a_changed_bit_breaks_every_proof(size in 2_usize..200, at in any::<prop::sample::Index>(), bit in 0_usize..256, which in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let index = at.index(size);
        let mut proof = inclusion_proof(&leaves, index).unwrap();
        let target = which.index(proof.len());
        proof[target].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(&leaves[index], index as u64, size as u64, &proof, &root(&leaves)));
    }
}

fn hash(value: &serde_json::Value) -> Option<Hash> {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(value.as_str()?).ok()?;
    Some(Hash(bytes.try_into().ok()?))
}

fn hashes(value: &serde_json::Value) -> Option<Vec<Hash>> {
    value.as_array().map_or(Some(Vec::new()), |list| list.iter().map(hash).collect())
}

fn inclusion_holds(case: &serde_json::Value) -> Option<bool> {
    let member = |names: [&str; 2]| names.into_iter().find_map(|name| case.get(name));
    Some(verify_inclusion(
        &hash(member(["leafHash", "leaf_hash"])?)?,
        member(["leafIdx", "index"])?.as_u64()?,
        member(["treeSize", "size"])?.as_u64()?,
        &hashes(case.get("proof")?)?,
        &hash(case.get("root")?)?,
    ))
}

fn consistency_holds(case: &serde_json::Value) -> Option<bool> {
    let head =
        |size: &str, root: &str| Some(Head { size: case.get(size)?.as_u64()?, root: hash(case.get(root)?)? });
    Some(verify_consistency(&head("size1", "root1")?, &head("size2", "root2")?, &hashes(case.get("proof")?)?))
}

#[test]
fn published_vectors_hold_or_fail_as_they_say() {
    let mut seen = 0;
    for case in corpus::cases(&["merkle-inclusion", "merkle-consistency"]) {
        for vector in case.json_values() {
            let wanted = match (vector.get("wantErr"), vector.get("expected_error")) {
                (Some(refused), _) => !refused.as_bool().unwrap(),
                (_, Some(error)) => error.as_str().unwrap_or_default().is_empty(),
                _ => case.passes,
            };
            let holds = if case.kind == "merkle-inclusion" {
                inclusion_holds(&vector)
            } else {
                consistency_holds(&vector)
            };
            assert_eq!(holds.unwrap_or(false), wanted, "{} {vector}", case.id);
            seen += 1;
        }
    }
    if seen > 0 {
        assert!(seen > 90, "only {seen} vectors were found");
    }
}
