//! Medians and percentiles.

use std::time::Duration;

/// The value that this share of a sorted list does not exceed (nearest rank); `None` of an empty list.
pub(crate) fn percentile<T: Copy>(sorted: &[T], percent: usize) -> Option<T> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// The middle of a list; of an even number the mean of the two in the middle, and 0 of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

/// So many in this time, as a number per second.
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    number(count) / time.as_secs_f64().max(1e-9)
}

/// Microseconds of `time` for each of `count`.
pub(crate) fn each(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / number(count.max(1))
}

/// A count as a floating-point number, exact for every count that is measured here.
pub(crate) fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_go_by_nearest_rank() {
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), Some(50));
        assert_eq!(percentile(&hundred, 99), Some(99));
        assert_eq!(percentile(&hundred, 100), Some(100));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile(&[1, 2, 3], 50), Some(2));
        assert_eq!(percentile(&[1, 2], 0), Some(1));
        assert_eq!(percentile::<u32>(&[], 50), None);
    }

    #[test]
    fn one_bad_round_does_not_move_a_median_of_three() {
        assert!((median([10.0, 1.0, 11.0]) - 10.0).abs() < f64::EPSILON);
        assert!((median([1.0, 2.0]) - 1.5).abs() < f64::EPSILON);
        assert!(median([]).abs() < f64::EPSILON);
    }

    #[test]
    fn rates_and_shares() {
        assert!((rate(50, Duration::from_millis(500)) - 100.0).abs() < 1e-9);
        assert!((each(Duration::from_millis(1), 10) - 100.0).abs() < 1e-9);
    }
}
