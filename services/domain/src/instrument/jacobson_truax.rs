//! Reliable change and clinically significant change from norms, as N. S. Jacobson and P. Truax (1991), Journal of
//! Consulting and Clinical Psychology 59, 12-19: for organisations that have norms of their own.

use super::number::Number;

/// Mean and standard deviation of a score in a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Norms {
    /// Mean, in points.
    pub mean: Number,
    /// Standard deviation, in points, above 0.
    pub sd: Number,
}

/// The square of the reliable change, in points²: `z² · 2 · sd² · (1 - reliability)`.
///
/// `z` is the quantile of the confidence interval (1.645 for 90 %, 1.96 for 95 %), `sd` the standard deviation of the
/// score before, `reliability` 0 to 1, such as Cronbach's alpha.
pub fn reliable_change_squared(z: Number, sd: Number, reliability: Number) -> Number {
    let error_squared = sd * sd * (Number::from(1_u8) - reliability);
    z * z * error_squared * 2_u8.into()
}

/// The reliable change in whole points: the least difference of two whole scores that is not below it.
pub fn reliable_change_points(z: Number, sd: Number, reliability: Number) -> i64 {
    reliable_change_squared(z, sd, reliability).whole_root_up()
}

/// The cut-off `c`, in points: where a score is as far from the mean of the general population as from that of the
/// clinical one, each in its own standard deviations.
pub fn cut_off(general: Norms, clinical: Norms) -> Number {
    (general.sd * clinical.mean + clinical.sd * general.mean).over(general.sd + clinical.sd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::shipped;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    /// CORE-10, of whose norms Barkham et al. (2013) derive 6 points at 90 % and a cut-off of 11.
    #[test]
    fn the_reliable_change_and_the_cut_off_of_core_10_come_out() {
        let core_10 = shipped(&"core-10".parse().unwrap(), 1).unwrap();
        let norms = |n| {
            let norm = core_10.norm_sets[0].norms.iter().find(|norm| norm.n == Some(n)).unwrap();
            Norms { mean: norm.mean, sd: norm.sd.unwrap() }
        };
        let (general, clinical) = (norms(535), norms(1835));
        let (ninety, ninety_five, alpha) = (number("1.645"), number("1.96"), number("0.9"));

        let squared = reliable_change_squared(ninety, clinical.sd, alpha);
        assert!(squared > number("5.66") * number("5.66") && squared < number("5.67") * number("5.67"));
        assert_eq!(reliable_change_points(ninety, clinical.sd, alpha), 6);

        let squared = reliable_change_squared(ninety_five, clinical.sd, alpha);
        assert!(squared > number("6.745") * number("6.745") && squared < number("6.755") * number("6.755"));
        assert_eq!(reliable_change_points(ninety_five, clinical.sd, alpha), 7);

        assert_eq!(cut_off(general, clinical), number("10.46"));
    }
}
