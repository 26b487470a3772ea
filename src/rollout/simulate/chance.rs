//! Chance that can be had again: the same seed gives the same world.
//!
//! SplitMix64 (Steele, Lea, Flood 2014), and how many of `n` requests are bad, drawn exactly: the gaps
//! between bad ones are geometric. Floating point stays in here: nothing judged is.

const MILLION: u64 = 1_000_000;

/// A source of chance.
#[derive(Debug, Clone)]
pub(super) struct Chance(u64);

impl Chance {
    /// The one of a seed.
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, and 0 below 1. (A bias of `bound` in 2⁶⁴ is none here.)
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// How many of `n` requests are bad, if so many in a million are.
    pub(super) fn bad_of(&mut self, n: u64, ppm: u64) -> u64 {
        match ppm {
            0 => 0,
            MILLION.. => n,
            rare if rare <= MILLION / 2 => self.rare(n, rare),
            common => n - self.rare(n, MILLION - common),
        }
    }

    fn rare(&mut self, n: u64, ppm: u64) -> u64 {
        let stay = (1.0 - ppm as f64 / MILLION as f64).ln();
        let (mut at, mut bad) = (0_u64, 0);
        loop {
            // In (0, 1], so that its logarithm is finite.
            let unit = ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
            at = at.saturating_add((unit.ln() / stay) as u64).saturating_add(1);
            if at > n {
                return bad;
            }
            bad += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_as_many_bad_requests_as_the_rate_says() {
        let mut chance = Chance::of(1);
        for (n, ppm) in [(500, 40_000), (1000, 10_000), (200, 700_000)] {
            let (mut sum, mut squares) = (0.0, 0.0);
            for _ in 0..20_000 {
                let bad = chance.bad_of(n, ppm) as f64;
                (sum, squares) = (sum + bad, squares + bad * bad);
            }
            let (mean, p) = (sum / 20_000.0, ppm as f64 / 1e6);
            let variance = squares / 20_000.0 - mean * mean;
            let expected = n as f64 * p;
            assert!((mean - expected).abs() < 0.02 * expected, "{mean} of {expected}");
            assert!((variance / (expected * (1.0 - p)) - 1.0).abs() < 0.05, "{variance}");
        }
        assert_eq!((chance.bad_of(9, 0), chance.bad_of(9, 1_000_000), chance.bad_of(0, 5)), (0, 9, 0));
    }

    #[test]
    fn is_the_published_generator() {
        let mut chance = Chance::of(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| chance.next()).collect();
        assert_eq!(first, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }
}
