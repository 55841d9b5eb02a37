//! How far it is from one place to another, along a great circle.
//!
//! Places are points on the unit sphere. What lies between two of them is `2 asin(chord / 2)`, the haversine formula (R. W.
//! Sinnott, Virtues of the Haversine, Sky and Telescope 68, 1984, 159) written with vectors: it is exact for near places,
//! and knows neither a date line nor poles. The earth is no sphere: distances are wrong by up to 0.56 %.

use domain::group::Coordinates;

/// Mean radius of the earth, in km: `(2 a + b) / 3` of the ellipsoid GRS 80 (H. Moritz, Geodetic Reference System 1980,
/// Journal of Geodesy 74, 2000, 128-133).
pub(crate) const EARTH_RADIUS_KM: f64 = 6_371.008_8;
/// Square of the longest chord.
const CHORD2_MAX: f64 = 4.0;

/// A place, as a point on the unit sphere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place([f64; 3]);

/// How far apart two places are, as the square of the chord between them: it grows with the distance, and needs no root.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub(crate) struct Apart(f64);

impl From<Coordinates> for Place {
    fn from(Coordinates { latitude, longitude }: Coordinates) -> Self {
        let (sin, cos) = latitude.to_radians().sin_cos();
        let (east, here) = longitude.to_radians().sin_cos();
        Self([cos * here, cos * east, sin])
    }
}

impl Place {
    /// How far apart they are.
    pub fn apart(&self, other: &Self) -> Apart {
        let square = |n: usize| (self.0[n] - other.0[n]).powi(2);
        Apart((square(0) + square(1) + square(2)).min(CHORD2_MAX))
    }
}

impl Apart {
    /// As far apart as these kilometres.
    pub fn of_km(km: f64) -> Self {
        let angle = (km / EARTH_RADIUS_KM).min(std::f64::consts::PI);
        Self(((angle / 2.0).sin() * 2.0).powi(2))
    }

    /// In kilometres along a great circle.
    pub fn km(self) -> f64 {
        (self.0.sqrt() / 2.0).min(1.0).asin() * 2.0 * EARTH_RADIUS_KM
    }

    /// Exactly, as a number to be given back.
    pub fn to_bits(self) -> u64 {
        self.0.to_bits()
    }

    /// Undoes [`Self::to_bits`]; none if it is no distance.
    pub fn from_bits(bits: u64) -> Option<Self> {
        let square = f64::from_bits(bits);
        (0.0..=CHORD2_MAX).contains(&square).then_some(Self(square))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn km((from, to): ((f64, f64), (f64, f64))) -> f64 {
        let place = |(latitude, longitude)| Place::from(Coordinates { latitude, longitude });
        place(from).apart(&place(to)).km()
    }

    /// The formula as Sinnott has it, in angles.
    fn haversine(((lat1, lon1), (lat2, lon2)): ((f64, f64), (f64, f64))) -> f64 {
        let half = |a: f64, b: f64| ((b - a).to_radians() / 2.0).sin().powi(2);
        let a = half(lat1, lat2) + lat1.to_radians().cos() * lat2.to_radians().cos() * half(lon1, lon2);
        2.0 * EARTH_RADIUS_KM * a.sqrt().min(1.0).asin()
    }

    #[test]
    fn distances_are_those_that_others_publish() {
        // Rosetta Code, Haversine formula: BNA to LAX with a radius of 6,372.8 km.
        let nashville_to_los_angeles = 2_887.259_950_607_11 * EARTH_RADIUS_KM / 6_372.8;
        assert!((km(((36.12, -86.67), (33.94, -118.40))) - nashville_to_los_angeles).abs() < 1e-6);
        // A degree of a great circle; a quarter and a half of one.
        let degree = EARTH_RADIUS_KM.to_radians() * 1.0;
        for (ends, degrees) in [
            (((0.0, 0.0), (0.0, 1.0)), 1.0),
            (((0.0, 0.0), (90.0, 77.0)), 90.0),
            (((0.0, 0.0), (0.0, 180.0)), 180.0),
            (((90.0, 0.0), (-90.0, 0.0)), 180.0),
            // Over the date line it is near, and at a pole every longitude is the same.
            (((0.0, 179.5), (0.0, -179.5)), 1.0),
            (((0.0, 180.0), (0.0, -180.0)), 0.0),
            (((90.0, 12.0), (90.0, -170.0)), 0.0),
            (((89.5, 0.0), (89.5, 180.0)), 1.0),
        ] {
            assert!((km(ends) - degrees * degree).abs() < 1e-6, "{ends:?}: {}", km(ends));
        }
        // A metre is a metre.
        let metre = km(((52.5, 13.4), (52.5 + 1e-3 / degree, 13.4)));
        assert!((metre - 1e-3).abs() < 1e-8, "{metre}");
    }

    fn place() -> impl Strategy<Value = (f64, f64)> {
        (-90.0..=90.0_f64, -180.0..=180.0_f64)
    }

    proptest! {
        #[test]
        fn it_is_the_haversine_formula(ends in (place(), place())) {
            // Where two places are opposite, neither is exact.
            prop_assert!((km(ends) - haversine(ends)).abs() < 1e-3, "{} {}", km(ends), haversine(ends));
        }

        #[test]
        fn there_and_back_are_the_same_and_no_detour_is_shorter((a, b, c) in (place(), place(), place())) {
            prop_assert!((km((a, b)) - km((b, a))).abs() < 1e-9);
            prop_assert!(km((a, c)) <= km((a, b)) + km((b, c)) + 1e-6);
        }

        #[test]
        fn kilometres_are_what_they_were(distance in 0.0..20_015.0_f64) {
            prop_assert!((Apart::of_km(distance).km() - distance).abs() < 1e-3);
            let apart = Apart::of_km(distance);
            prop_assert_eq!(Apart::from_bits(apart.to_bits()), Some(apart));
        }
    }

    #[test]
    fn no_number_is_a_distance_that_is_none() {
        for bits in [f64::NAN, f64::INFINITY, -1.0, 4.1].map(f64::to_bits) {
            assert_eq!(Apart::from_bits(bits), None);
        }
        assert!((Apart::of_km(1e9).km() - EARTH_RADIUS_KM * std::f64::consts::PI).abs() < 1e-3, "nowhere is further");
    }
}
