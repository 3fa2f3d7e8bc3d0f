//! One made-up patient, drawn from the model. Person number n of a hospital is the same whatever
//! the size of the hospital, because every person has a stream of chance of their own.

use super::model::{self, Hospital, concept};
use super::rng::Rng;

/// The stream of chance for follow-up.
const FOLLOW_UP: u64 = 1;

/// Everything that happened to one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    /// Unique in the whole network.
    pub id: i64,
    /// Male or female concept.
    pub gender: i64,
    /// Year of birth.
    pub born: i64,
    /// Day of death.
    pub death: Option<i64>,
    /// Visits.
    pub visits: Vec<Visit>,
    /// Conditions: concept and day.
    pub conditions: Vec<(i64, i64)>,
    /// Drugs: concept, day and days of supply.
    pub drugs: Vec<(i64, i64, i64)>,
    /// Measurements: concept, day and value in tenths, if it was recorded.
    pub measurements: Vec<(i64, i64, Option<i64>)>,
    /// Follow-up, of those old enough for it.
    pub follow_up: Option<FollowUp>,
}

/// How long a person was followed, and how that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowUp {
    /// Whether the person was treated: 0 or 1.
    pub treated: i64,
    /// Whole months of follow-up.
    pub months: i64,
    /// Whether it ended with death: 0 or 1.
    pub died: i64,
}

impl FollowUp {
    /// Month after month: death, else loss, else the next.
    fn draw(rng: &mut Rng) -> Self {
        let treated = rng.chance(model::TREATED);
        let [usual, better] = model::DEATH_A_MONTH;
        let death = if treated { better } else { usual };
        let (mut months, mut died) = (0, false);
        while months < model::FOLLOWED_MONTHS {
            died = rng.chance(death);
            if died || rng.chance(model::LOSS_A_MONTH) {
                break;
            }
            months += 1;
        }
        Self {
            treated: i64::from(treated),
            months,
            died: i64::from(died),
        }
    }
}

/// One visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Kind of visit.
    pub concept: i64,
    /// First day.
    pub start: i64,
    /// Last day.
    pub end: i64,
}

impl Patient {
    /// Age at the end of the reference year.
    #[must_use]
    pub fn age(&self) -> i64 {
        model::REFERENCE_YEAR - self.born
    }

    /// Whether the person has a condition.
    #[must_use]
    pub fn has(&self, condition: i64) -> bool {
        self.conditions
            .iter()
            .any(|(concept, _)| *concept == condition)
    }

    /// Draws person `index` of hospital number `place`.
    #[must_use]
    pub fn draw(seed: u64, place: u64, index: u64, hospital: &Hospital) -> Self {
        let mut rng = Rng::new(&[seed, place, index]);
        let (first, last) = hospital.born;
        let number = place
            .saturating_add(1)
            .saturating_mul(100_000)
            .saturating_add(index);
        let mut patient = Self {
            id: i64::try_from(number).unwrap_or(i64::MAX),
            gender: if rng.chance(hospital.female) {
                concept::FEMALE
            } else {
                concept::MALE
            },
            born: rng.between(first, last),
            death: None,
            visits: Vec::new(),
            conditions: Vec::new(),
            drugs: Vec::new(),
            measurements: Vec::new(),
            follow_up: None,
        };
        patient.draw_conditions(&mut rng, hospital);
        patient.draw_drugs(&mut rng);
        patient.draw_visits(&mut rng, hospital);
        patient.draw_tests(&mut rng);
        if rng.chance(model::DEATH.at(patient.age())) {
            patient.death = Some(rng.between(model::LAST_DAY - 365, model::LAST_DAY));
        }
        // A stream of its own: everything else is what it was without it.
        if patient.age() >= model::FOLLOWED_FROM {
            let mut rng = Rng::new(&[seed, place, index, FOLLOW_UP]);
            let followed = rng.chance(model::FOLLOWED);
            patient.follow_up = followed.then(|| FollowUp::draw(&mut rng));
        }
        patient
    }

    fn draw_conditions(&mut self, rng: &mut Rng, hospital: &Hospital) {
        let age = self.age();
        let chronic = [
            (concept::T2DM, model::T2DM.in_hospital(age, hospital), 4),
            (
                concept::HYPERTENSION,
                model::HYPERTENSION.in_hospital(age, hospital),
                4,
            ),
            (concept::OSTEOARTHRITIS, model::OSTEOARTHRITIS.at(age), 2),
            (concept::GI_BLEED, model::GI_BLEED.at(age), 1),
            (concept::SINUSITIS, model::SINUSITIS, 3),
        ];
        for (condition, chance, most) in chronic {
            if rng.chance(chance) {
                for _ in 0..rng.between(1, most) {
                    self.conditions.push((condition, day(rng)));
                }
            }
        }
    }

    fn draw_drugs(&mut self, rng: &mut Rng) {
        let given = [
            (
                concept::METFORMIN,
                self.has(concept::T2DM),
                model::METFORMIN,
                90,
            ),
            (
                concept::LISINOPRIL,
                self.has(concept::HYPERTENSION),
                model::LISINOPRIL,
                90,
            ),
            (concept::PARACETAMOL, true, model::PARACETAMOL, 10),
        ];
        for (drug, indicated, chance, supply) in given {
            if indicated && rng.chance(chance) {
                for _ in 0..rng.between(1, 5) {
                    self.drugs.push((drug, day(rng), supply));
                }
            }
        }
    }

    /// Every visit measures both blood pressures on its first day.
    fn draw_visits(&mut self, rng: &mut Rng, hospital: &Hospital) {
        let mean = model::sbp_mean(self.age(), self.has(concept::HYPERTENSION), hospital);
        for _ in 0..rng.between(1, 4) {
            let start = day(rng);
            let (concept, nights) = if rng.chance(hospital.inpatient) {
                (concept::INPATIENT, rng.between(1, 14))
            } else if rng.chance(100) {
                (concept::EMERGENCY, 0)
            } else {
                (concept::OUTPATIENT, 0)
            };
            self.visits.push(Visit {
                concept,
                start,
                end: (start + nights).min(model::LAST_DAY),
            });
            let systolic = mean + rng.bell(model::SBP_SD);
            let known = !rng.chance(model::VALUE_MISSING);
            self.measurements
                .push((concept::SBP, start, known.then_some(systolic)));
            let (mean, sd) = model::DBP;
            let diastolic = mean + rng.bell(sd);
            self.measurements
                .push((concept::DBP, start, known.then_some(diastolic)));
        }
    }

    fn draw_tests(&mut self, rng: &mut Rng) {
        let diabetic = self.has(concept::T2DM);
        let (mean, sd) = if diabetic {
            model::HBA1C_T2DM
        } else {
            model::HBA1C_OTHER
        };
        let tests = match (diabetic, rng.chance(model::HBA1C_SCREEN)) {
            (true, _) => rng.between(1, 4),
            (false, screened) => i64::from(screened),
        };
        for _ in 0..tests {
            let when = day(rng);
            self.measurements
                .push((concept::HBA1C, when, Some(mean + rng.bell(sd))));
        }
        if rng.chance(model::BMI_TAKEN) {
            let (mean, sd) = model::BMI;
            let when = day(rng);
            self.measurements
                .push((concept::BMI, when, Some(mean + rng.bell(sd))));
        }
    }
}

fn day(rng: &mut Rng) -> i64 {
    rng.between(model::FIRST_DAY, model::LAST_DAY)
}
