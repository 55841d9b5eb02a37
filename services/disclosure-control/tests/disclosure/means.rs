//! What means, medians and percentages give away: attacks that succeed on published examples, and find nothing on what
//! `rule::mean` lets through.

use disclosure_control::rule::{MeanRule, NotShown, Printed, Scale, Threshold};
use proptest::prelude::*;

const MILLION: i64 = 1_000_000;

fn rule() -> MeanRule {
    MeanRule::beside(Threshold::fewer_than(5).unwrap())
}

/// A printed number and how far the true one can be from it, in millionths, both ends.
#[derive(Debug, Clone, Copy)]
struct Around {
    millionths: i64,
    off: i64,
}

impl Around {
    /// A number with so many decimals.
    fn decimals(millionths: i64, decimals: u32) -> Around {
        Around { millionths, off: MILLION / 10_i64.pow(decimals) / 2 }
    }

    /// Whether numerator ÷ denominator prints like that.
    fn fits(self, numerator: i64, denominator: i64) -> bool {
        (numerator * MILLION - self.millionths * denominator).abs() <= self.off * denominator
    }
}

impl From<Printed> for Around {
    fn from(Printed { millionths, step }: Printed) -> Around {
        Around { millionths, off: step / 2 }
    }
}

/// The counts within `off` of a perturbed one of which a mean of whole scores can print like that.
fn counts(mean: Around, perturbed: i64, off: i64) -> Vec<i64> {
    let whole_sum = |count: i64| {
        let around = (mean.millionths * count).div_euclid(MILLION);
        let reach = mean.off * count / MILLION + 2;
        (around - reach..=around + reach).any(|sum| mean.fits(sum, count))
    };
    ((perturbed - off).max(1)..=perturbed + off).filter(|count| whole_sum(*count)).collect()
}

/// All parts of wholes in a range that print as this percentage.
fn parts(percent: Around, wholes: impl IntoIterator<Item = i64>) -> Vec<(i64, i64)> {
    let all = wholes.into_iter().flat_map(|whole| (0..=whole).map(move |part| (part, whole)));
    all.filter(|(part, whole)| percent.fits(100 * part, *whole)).collect()
}

#[test]
fn true_means_beside_perturbed_counts_tell_the_counts() {
    // Handbook on SDC, 2nd edition, 5.7
    let means = [Around::decimals(11_250_000, 2), Around::decimals(7_916_700, 4), Around::decimals(9_250_000, 2)];
    let found: Vec<_> =
        means.into_iter().zip([9, 14, 19]).map(|(mean, perturbed)| counts(mean, perturbed, 2)).collect();
    assert_eq!(found, [[8], [12], [20]]);
}

#[test]
fn a_fine_percentage_beside_a_rounded_count_tells_both() {
    // 7 of 23, where 23 is printed as 25
    assert_eq!(parts(Around::decimals(30_400_000, 1), 23..=27), [(7, 23)]);
    let shown = rule().rate(7, 23).unwrap();
    assert_eq!((shown.to_string().as_str(), shown.step), ("30", 5 * MILLION));
    assert_eq!(parts(shown.into(), 23..=27), [(7, 23), (7, 24), (7, 25), (8, 25), (8, 26), (8, 27)]);
}

proptest! {
    #[test]
    fn a_mean_that_may_be_shown_tells_no_count(
        scores in prop::collection::vec(0..=40_i64, 10..80), off in 1..=5_i64, noise in -5..=5_i64,
    ) {
        let Ok(mean) = rule().mean(&scores, Scale::CORE_10) else { return Ok(()) };
        let count = i64::try_from(scores.len()).unwrap();
        let perturbed = count + noise.clamp(-off, off);
        let found = counts(mean.into(), perturbed, off);
        prop_assert!(found.contains(&count));
        // Nobody has a mean of no scores.
        let before: Vec<i64> = ((perturbed - off).max(1)..=perturbed + off).collect();
        prop_assert_eq!(found, before, "every count is as possible as before");
    }

    #[test]
    fn a_rate_that_may_be_shown_tells_no_count_and_nothing_small(
        whole in 10..200_u32, share in 0..=200_u32, off in 1..=5_i64,
    ) {
        let part = share % (whole + 1);
        let Ok(rate) = rule().rate(part, whole) else { return Ok(()) };
        let (part, whole) = (i64::from(part), i64::from(whole));
        let found = parts(rate.into(), whole - off..=whole + off);
        prop_assert!(found.contains(&(part, whole)));
        let mut wholes: Vec<_> = found.iter().map(|(_, whole)| *whole).collect();
        wholes.dedup();
        prop_assert!(wholes.len() > usize::try_from(off).unwrap(), "it and all above it");
        // Even who knows how many there are finds only what is not small.
        prop_assert!(part >= 5 && whole - part >= 5);
    }
}

/// Somebody: female, black, married, and an age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Person {
    age: i64,
    female: bool,
    black: bool,
    married: bool,
}

/// A line of a statistical table: of whom, how many, the median and the mean of their ages.
#[derive(Clone, Copy)]
struct Line {
    of: fn(&Person) -> bool,
    count: Option<usize>,
    median: Around,
    mean: Around,
}

impl Line {
    fn new(of: fn(&Person) -> bool, count: usize, median: i64, mean_tenths: i64) -> Line {
        let [median, mean] = [Around::decimals(median * MILLION, 1), Around::decimals(mean_tenths * MILLION / 10, 1)];
        Line { of, count: Some(count), median, mean }
    }

    /// Whether people, not all of them known yet, can be those of the line.
    fn fits(&self, people: &[Person], open: &[Person]) -> bool {
        let mut ages: Vec<i64> = people.iter().filter(|person| (self.of)(person)).map(|person| person.age).collect();
        let more = open.iter().filter(|person| (self.of)(person)).count();
        let all = ages.len() + more;
        if self.count.is_some_and(|count| count != all) {
            return false;
        }
        let (sum, count) = (ages.iter().sum::<i64>(), i64::try_from(all).unwrap());
        if more > 0 || all == 0 {
            // No more than half can be on either side of the median.
            let below = ages.iter().filter(|age| **age * MILLION < self.median.millionths - self.median.off).count();
            let above = ages.iter().filter(|age| **age * MILLION > self.median.millionths + self.median.off).count();
            let low = sum * MILLION <= (self.mean.millionths + self.mean.off) * count;
            let high = (sum + AGE_MAX * i64::try_from(more).unwrap()) * MILLION
                >= (self.mean.millionths - self.mean.off) * count;
            return low && high && below.max(above) <= all / 2;
        }
        ages.sort_unstable();
        self.mean.fits(sum, count) && self.median.fits(ages[(all - 1) / 2] + ages[all / 2], 2)
    }

    /// The ages that the last open person of the line can have.
    fn left(&self, people: &[Person], open: &[Person]) -> Option<(i64, i64)> {
        let mut mine = open.iter().filter(|person| (self.of)(person));
        mine.next()?;
        if mine.next().is_some() {
            return None;
        }
        let ages: Vec<i64> = people.iter().filter(|person| (self.of)(person)).map(|person| person.age).collect();
        let (sum, count) = (ages.iter().sum::<i64>(), i64::try_from(ages.len() + 1).unwrap());
        let end = |off: i64| (self.mean.millionths + off) * count;
        Some((-(-end(-self.mean.off)).div_euclid(MILLION) - sum, end(self.mean.off).div_euclid(MILLION) - sum))
    }
}

const AGE_MAX: i64 = 115;

/// Everybody who can be behind the lines, up to `most` solutions.
fn reconstruct(people: usize, lines: &[Line], most: usize) -> Vec<Vec<Person>> {
    // Of the smallest line first.
    let kinds: Vec<Person> = (0..8)
        .rev()
        .map(|kind| Person { age: 0, female: kind & 4 != 0, black: kind & 2 != 0, married: kind & 1 != 0 })
        .collect();
    let mut found = Vec::new();
    compositions(people, &kinds, &mut Vec::new(), &mut |open| {
        if lines
            .iter()
            .all(|line| line.count.is_none_or(|count| open.iter().filter(|one| (line.of)(one)).count() == count))
        {
            fill(lines, &mut Vec::new(), open, most, &mut found);
        }
    });
    for people in &mut found {
        people.sort_unstable();
    }
    found.sort();
    found.dedup();
    found
}

fn compositions(left: usize, kinds: &[Person], open: &mut Vec<Person>, then: &mut dyn FnMut(&[Person])) {
    let Some((kind, rest)) = kinds.split_first() else {
        if left == 0 {
            then(open);
        }
        return;
    };
    for more in 0..=left {
        open.extend(std::iter::repeat_n(*kind, more));
        compositions(left - more, rest, open, then);
        open.truncate(open.len() - more);
    }
}

/// Gives the open people ages, first those that a line leaves the fewest.
fn fill(lines: &[Line], people: &mut Vec<Person>, open: &[Person], most: usize, found: &mut Vec<Vec<Person>>) {
    if found.len() >= most || !lines.iter().all(|line| line.fits(people, open)) {
        return;
    }
    let range = |person: &Person| {
        // Those of a kind are in order of age.
        let before = people.iter().filter(|other| Person { age: 0, ..**other } == *person).map(|other| other.age).max();
        let least = before.unwrap_or(0).max(if person.married { 15 } else { 0 });
        let left = lines.iter().filter(|line| (line.of)(person)).filter_map(|line| line.left(people, open));
        left.fold((least, AGE_MAX), |(low, high), (from, to)| (low.max(from), high.min(to)))
    };
    let Some((at, (low, high))) =
        open.iter().enumerate().map(|(at, person)| (at, range(person))).min_by_key(|(_, (low, high))| high - low)
    else {
        found.push(people.clone());
        return;
    };
    let mut rest = open.to_vec();
    let person = rest.remove(at);
    for age in low..=high {
        people.push(Person { age, ..person });
        fill(lines, people, &rest, most, found);
        people.pop();
    }
}

/// The block of seven people: tables 1A, 2A, 2B, 2C, 2D, 3B, 4A. What is of fewer than three is not shown.
fn block() -> [Line; 7] {
    [
        Line::new(|_| true, 7, 30, 380),
        Line::new(|one| one.female, 4, 30, 335),
        Line::new(|one| !one.female, 3, 30, 440),
        Line::new(|one| one.black, 4, 51, 485),
        Line::new(|one| !one.black, 3, 24, 240),
        Line::new(|one| one.married, 4, 51, 540),
        Line::new(|one| one.black && one.female, 3, 36, 367),
    ]
}

#[test]
fn seven_lines_of_means_and_medians_give_seven_people_away() {
    // S. Garfinkel, J. Abowd and C. Martindale, CACM 62 (2019) 46–53
    let person = |age, female, black, married| Person { age, female, black, married };
    let solution = [vec![
        person(8, true, true, false),
        person(18, false, false, false),
        person(24, true, false, false),
        person(30, false, false, true),
        person(36, true, true, true),
        person(66, true, true, true),
        person(84, false, true, true),
    ]];
    assert_eq!(reconstruct(7, &block(), 10_000), solution);
    for without in [1, 2] {
        let mut lines = block().to_vec();
        lines.remove(without);
        assert_eq!(reconstruct(7, &lines, 10_000), solution, "line {without} says nothing new");
    }
}

#[test]
fn none_of_the_seven_lines_may_be_shown() {
    let ages = [8, 18, 24, 30, 36, 66, 84];
    let scale = Scale { least: 0, most: AGE_MAX };
    assert_eq!(rule().mean(&ages, scale), Err(NotShown::Few(rule().members)));
    assert_eq!(rule().median(&ages, scale), Err(NotShown::Few(rule().members)));
    assert_eq!(reconstruct(7, &[], 10_000).len(), 10_000, "so anybody may live there");
}

#[test]
fn what_may_be_shown_of_a_larger_block_leaves_thousands_of_them_possible() {
    // Twice the seven, five years apart, so that the block and some lines are of ten people or more.
    let person = |age, female, black, married| Person { age, female, black, married };
    let seven = [
        person(8, true, true, false),
        person(18, false, false, false),
        person(24, true, false, false),
        person(30, false, false, true),
        person(36, true, true, true),
        person(66, true, true, true),
        person(84, false, true, true),
    ];
    let people: Vec<Person> = seven.into_iter().flat_map(|one| [one, Person { age: one.age + 5, ..one }]).collect();
    let scale = Scale { least: 0, most: AGE_MAX };
    let shown: Vec<Line> = block()
        .iter()
        .filter_map(|line| {
            let ages: Vec<i64> = people.iter().filter(|one| (line.of)(one)).map(|one| one.age).collect();
            let [median, mean] = [rule().median(&ages, scale).ok()?.into(), rule().mean(&ages, scale).ok()?.into()];
            Some(Line { count: Some(ages.len()), median, mean, ..*line })
        })
        .collect();
    assert_eq!(shown.len(), 1, "only that of all 14");
    // Even to who knows everything of them but the ages of two.
    let (mut tried, mut possible) = (0, 0);
    for (one, other) in (0..14).flat_map(|one| (0..one).map(move |other| (one, other))) {
        let mut block = people.clone();
        for (first, second) in (15..=AGE_MAX).flat_map(|first| (15..=AGE_MAX).map(move |second| (first, second))) {
            (block[one].age, block[other].age) = (first, second);
            tried += 1;
            possible += usize::from(shown.iter().all(|line| line.fits(&block, &[])));
        }
    }
    assert!(possible > 10_000, "{possible} of {tried}");
}
