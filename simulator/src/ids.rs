//! Identifiers that look like CloudFront's, derived from a seed and a serial number. Pure.
//!
//! Real ids are KSUIDs: 27 base-62 digits that begin with the time, so that ids sort by creation. Here the serial
//! number takes the place of the time, and a hash that of the random part.

const BASE62: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits and capital letters.
pub const UPPER: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const HEX: &[u8] = b"0123456789abcdef";
const LOWER: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// `2uVbA9` read as base 62: where KSUIDs stood in early 2025.
const EPOCH: u64 = 2_667_271_505;

/// `prefix` and 27 base-62 digits; ids of rising `serial` sort in that order.
pub fn resource_id(prefix: &str, seed: u64, serial: u64) -> String {
    let hash = mix(seed, prefix) ^ mix(serial, "id");
    let time = digits(EPOCH.wrapping_add(serial), BASE62, 6);
    let first = digits(mix(hash, "first"), BASE62, 10);
    let second = digits(mix(hash, "second"), BASE62, 11);
    format!("{prefix}{time}{first}{second}")
}

/// A CloudFront host name: `d`, 13 lowercase letters and digits, `.cloudfront.net`.
pub fn routing_endpoint(seed: u64, serial: u64) -> String {
    let hash = mix(seed, "endpoint") ^ mix(serial, "endpoint");
    format!("d{}.cloudfront.net", digits(hash, LOWER, 13))
}

/// The id of a request: a UUID by its shape.
pub fn request_id(serial: u64) -> String {
    let part = |purpose, count| digits(mix(serial, purpose), HEX, count);
    format!("{}-{}-4{}-8{}-{}", part("a", 8), part("b", 4), part("c", 3), part("d", 3), part("e", 12))
}

/// `value` in the number system of `alphabet`, its last `count` digits.
pub fn digits(value: u64, alphabet: &[u8], count: usize) -> String {
    let base = alphabet.len() as u64;
    let mut rest = value;
    let mut reversed = Vec::with_capacity(count);
    for _ in 0..count {
        let digit = usize::try_from(rest % base).unwrap_or_default();
        reversed.push(char::from(alphabet[digit]));
        rest /= base;
    }
    reversed.into_iter().rev().collect()
}

/// A well-mixed number from a number and a purpose: FNV-1a over the purpose, then the finalizer of `SplitMix64`.
pub fn mix(number: u64, purpose: &str) -> u64 {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, fnv) ^ number;
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_have_the_shape_of_real_ones_and_sort_by_creation() {
        let ids: Vec<_> = (0..500).map(|serial| resource_id("cg_", 0, serial)).collect();
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 500);
        assert!(ids[0].starts_with("cg_2uVbA9"), "{}", ids[0]);
        assert!(ids.iter().all(|id| id.len() == 30 && id[3..].bytes().all(|b| b.is_ascii_alphanumeric())));
    }

    #[test]
    fn endpoints_have_the_shape_of_real_ones() {
        let endpoints: BTreeSet<_> = (0..500).map(|serial| routing_endpoint(7, serial)).collect();
        assert_eq!(endpoints.len(), 500);
        for endpoint in endpoints {
            let label = endpoint.strip_suffix(".cloudfront.net").unwrap();
            assert_eq!(label.len(), 14);
            assert!(label.starts_with('d') && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
        }
    }

    #[test]
    fn another_seed_gives_other_ids() {
        assert_ne!(resource_id("cg_", 0, 1), resource_id("cg_", 1, 1));
        assert_ne!(routing_endpoint(0, 1), routing_endpoint(1, 1));
    }
}
