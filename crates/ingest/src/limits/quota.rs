//! How much of something is let through: a token bucket, kept as one moment.

use std::time::{Duration, Instant};

/// Most in a unit of time, and at once; more would be no limit, and finer than a clock.
const MOST: u32 = 10_000_000;

/// A rate, and how much may come at once after a quiet time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    /// How long one token takes to come back.
    each: Duration,
    /// Tokens of a full bucket.
    burst: u32,
}

/// How a bucket stands after it was asked for tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Tokens of a full bucket.
    pub(crate) limit: u32,
    /// Tokens that are left.
    pub(crate) remaining: u32,
    /// When it will be full again.
    pub(crate) full_in: Duration,
    /// When those asked for will be there, if they were not.
    pub(crate) wait: Option<Duration>,
}

/// A text that is no quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is neither off nor a rate such as 50/s, 300/m or 50/s burst 200, of 1 to {MOST}")]
pub(crate) struct InvalidQuota;

impl Quota {
    /// Reads `50/s`, `300/m`, `1000/h`, each also with ` burst 200`; a second's tokens may come at once otherwise, or one
    /// where a second brings less. `off` is none.
    pub(crate) fn read(text: &str) -> Result<Option<Self>, InvalidQuota> {
        let mut words = text.split_ascii_whitespace();
        let (rate, burst) = match (words.next(), words.next(), words.next(), words.next()) {
            (Some("off"), None, None, None) => return Ok(None),
            (Some(rate), None, None, None) => (rate, None),
            (Some(rate), Some("burst"), Some(burst), None) => (rate, Some(burst)),
            _ => return Err(InvalidQuota),
        };
        let (count, unit) = rate.split_once('/').ok_or(InvalidQuota)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(InvalidQuota),
        };
        let count = number(count)?;
        let burst = burst.map_or(Ok((count / seconds).max(1)), number)?;
        Ok(Some(Self { each: Duration::from_secs(seconds.into()) / count, burst }))
    }

    /// So many times as much.
    pub(super) fn times(self, factor: u32) -> Self {
        Self { each: self.each / factor, burst: self.burst.saturating_mul(factor) }
    }

    /// Takes tokens out of a bucket that is full at `full_at`. More than it can ever hold count as all that it holds.
    pub(crate) fn take(self, full_at: &mut Instant, tokens: u32, now: Instant) -> Standing {
        let missing = full_at.saturating_duration_since(now);
        let needed = missing + self.each * tokens.min(self.burst);
        let wait = needed.checked_sub(self.each * self.burst).filter(|wait| !wait.is_zero());
        if wait.is_some() {
            return Standing { wait, ..self.standing(missing) };
        }
        *full_at = now + needed;
        self.standing(needed)
    }

    /// How a bucket stands whose tokens take so long to come back.
    fn standing(self, missing: Duration) -> Standing {
        let taken = missing.as_nanos().div_ceil(self.each.as_nanos());
        let taken = u32::try_from(taken).unwrap_or(u32::MAX);
        Standing {
            limit: self.burst,
            remaining: self.burst.saturating_sub(taken),
            full_in: missing,
            wait: None,
        }
    }
}

fn number(text: &str) -> Result<u32, InvalidQuota> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| plain && (1..=MOST).contains(number)).ok_or(InvalidQuota)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn quota(text: &str) -> Quota {
        Quota::read(text).unwrap().unwrap()
    }

    #[test]
    fn quotas_are_read() {
        let made = |each, burst| Quota { each: Duration::from_micros(each), burst };
        assert_eq!(quota("50/s"), made(20_000, 50));
        assert_eq!(quota(" 100000/s  burst 400000 "), made(10, 400_000));
        assert_eq!((quota("300/m"), quota("30/m")), (made(200_000, 5), made(2_000_000, 1)));
        assert_eq!(quota("1/h burst 3"), made(3_600_000_000, 3));
        assert_eq!(Quota::read("off"), Ok(None));
        for junk in
            ["", "0/s", "5", "5/", "/s", "-1/s", "+1/s", "5/d", "1.5/s", "off 5/s", "5/s 7", "5/s burst"]
        {
            assert_eq!(Quota::read(junk), Err(InvalidQuota), "{junk}");
        }
        for junk in ["5/s burst 0", "5/s burst 1 2", "10000001/s", "99999999999/s", "5/s burst x"] {
            assert_eq!(Quota::read(junk), Err(InvalidQuota), "{junk}");
        }
    }

    #[test]
    fn a_multiple_comes_faster_and_in_larger_bursts() {
        assert_eq!(quota("5/s burst 300").times(10), quota("50/s burst 3000"));
    }

    #[test]
    fn a_bucket_empties_and_fills_again() {
        let (quota, now) = (quota("2/s burst 3"), Instant::now());
        let mut full_at = now;
        let left: Vec<u32> = (0..3).map(|_| quota.take(&mut full_at, 1, now).remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = quota.take(&mut full_at, 1, now);
        let half = Duration::from_millis(500);
        assert_eq!((refused.remaining, refused.wait, refused.full_in), (0, Some(half), 3 * half));
        assert_eq!(quota.take(&mut full_at, 2, now).wait, Some(2 * half));
        assert_eq!(quota.take(&mut full_at, 1, now + half).wait, None, "a refusal took nothing");
        let later = now + Duration::from_mins(1);
        let standing = quota.take(&mut full_at, 500, later);
        assert_eq!((standing.wait, standing.remaining), (None, 0), "what never fits takes all");
    }

    proptest! {
        #[test]
        fn no_more_passes_than_the_burst_and_the_rate(
            rate in 1u32..2000, burst in 1u32..500, steps in prop::collection::vec((0u64..5_000, 1u32..20), 1..300)
        ) {
            let quota = quota(&format!("{rate}/s burst {burst}"));
            let start = Instant::now();
            let (mut now, mut full_at, mut passed) = (start, start, 0u32);
            for (millis, tokens) in steps {
                now += Duration::from_millis(millis % 50);
                let before = full_at;
                let standing = quota.take(&mut full_at, tokens, now);
                if standing.wait.is_none() {
                    passed += tokens.min(burst);
                } else {
                    prop_assert_eq!(before, full_at);
                    let wait = standing.wait.unwrap();
                    let mut again = full_at;
                    prop_assert_eq!(quota.take(&mut again, tokens, now + wait).wait, None);
                }
                // The period is cut to whole nanoseconds, so a little more than the rate may pass.
                let allowed = f64::from(burst) + (now - start).as_secs_f64() * f64::from(rate) * 1.000_01;
                prop_assert!(f64::from(passed) <= allowed + 1e-6, "{} of {}", passed, allowed);
                prop_assert!(standing.remaining <= burst);
            }
        }

        #[test]
        fn junk_never_panics(text in "(off|[0-9]{0,9}/[smh]?)?( burst)?.{0,12}") {
            if let Ok(Some(quota)) = Quota::read(&text) {
                let now = Instant::now();
                quota.take(&mut now.clone(), u32::MAX, now);
            }
        }
    }
}
