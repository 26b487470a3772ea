//! What is no evidence, and what the refusal says.

use super::Evidence;
use crate::evidence::limits;

fn refusal(bytes: &[u8]) -> String {
    Evidence::parse("test", bytes.to_vec()).unwrap_err().problem
}

#[test]
fn refuses_documents_that_two_readers_could_read_differently() {
    assert_eq!(refusal(b"\xef\xbb\xbf{}"), "starts with a byte order mark");
    let twice = br#"{"payloadType": "a", "payloadType": "b", "payload": "", "signatures": []}"#;
    assert!(refusal(twice).contains("member `payloadType` appears twice"));
    assert!(refusal(br#"{"payloadType": "a"} {}"#).contains("trailing"));
    assert!(refusal("[".repeat(100_000).as_bytes()).contains("nested deeper"));
    assert_eq!(refusal(b"[]"), "wanted an object, got a list");
}

#[test]
fn speaks_of_the_kind_that_a_document_means_to_be() {
    assert_eq!(refusal(br#"{"payloadType": "a", "signatures": []}"#), "`payload`: missing");
    assert_eq!(refusal(b"{}"), "`mediaType`: missing");
    assert_eq!(
        refusal(br#"{"payloadType": "a", "payload": "e30=", "signatures": [], "extra": 1}"#),
        "`extra`: unknown member"
    );
}

#[test]
fn refuses_more_bytes_than_the_limit_before_reading_them() {
    assert!(refusal(&vec![b'{'; limits::DOCUMENT_BYTES + 1]).starts_with("wanted at most"));
}
