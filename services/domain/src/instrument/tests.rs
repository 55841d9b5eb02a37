mod examples;
mod mistakes;
mod properties;
mod register;
mod therapies;

use super::*;

fn id(word: &str) -> Id {
    word.parse().unwrap()
}

fn number(text: &str) -> Number {
    text.parse().unwrap()
}

fn instrument(name: &str) -> &'static Instrument {
    shipped(&id(name), 1).unwrap()
}

/// Answers to the items in their order: a number, `5+6` for two that are circled, `–` declined, `x` not shown. What is not
/// there was not reached.
fn answers(instrument: &Instrument, list: &str) -> Given {
    let answer = |text: &str| match text {
        "–" => Answer::NotAnswered(NotAnswered::Declined),
        "x" => Answer::NotAnswered(NotAnswered::NotShown),
        text if text.contains('+') => Answer::Circled(text.split('+').map(|raw| raw.parse().unwrap()).collect()),
        text => Answer::Answered(text.parse().unwrap()),
    };
    let items = instrument.items.iter().map(|item| item.id.clone());
    Given::Answers(items.zip(list.split(',').map(|text| answer(text.trim()))).collect())
}

fn stated(score: &str, value: &str) -> Given {
    Given::Stated([(id(score), number(value))].into())
}

/// What is read from something that fits the instrument, with the norm set that is taken if nobody chose another.
fn read(name: &str, given: &Given) -> Scored {
    let instrument = instrument(name);
    assert_eq!(instrument.validate(given), Ok(()));
    score(instrument, given, instrument.norm_sets.first())
}

fn scored(name: &str, list: &str) -> Scored {
    read(name, &answers(instrument(name), list))
}

impl Scored {
    /// A score with two decimals, or why there is none.
    fn shown(&self, score: &str) -> Result<String, NoScore> {
        match &self.scores[score] {
            Outcome::Scored(reading) => Ok(reading.value.rounded(2)),
            Outcome::NotScored(why) => Err(*why),
        }
    }

    fn band(&self, score: &str) -> Option<&str> {
        self.reading(score)?.band.as_ref().map(Id::as_str)
    }

    fn meets(&self, score: &str, cut_off: &str) -> bool {
        self.reading(score).unwrap().cut_offs[cut_off]
    }
}

fn too_few(answered: usize, needed: usize) -> Result<String, NoScore> {
    Err(NoScore::TooFewAnswers { answered, needed })
}

fn raised_by(item: &str) -> Signal {
    Signal::RaisedBy([id(item)].into())
}

fn not_answered(item: &str) -> Signal {
    Signal::NotAnswered([id(item)].into())
}
