//! Deterministic made-up patients of four hospitals with different case mix, as OMOP-named tables.
//!
//! The truth is known: [`model`] holds every chance and every mean, [`patient`] draws one person
//! from them, [`tables`] lays people out as tables, [`mod@write`] puts tables into files. A seed and a
//! scale give the same bytes everywhere. The generator knows nothing of nodes or questions.
//!
//! # The model
//! A person's sex and year of birth come from the hospital. Chronic diseases come by age and by
//! the hospital's case mix; each is recorded one to four times. Drugs follow their disease. Every
//! visit measures both blood pressures; systolic pressure grows by 0.4 mm Hg a year of age and by
//! 14 mm Hg with high blood pressure. Three in a hundred pressures have no value. Gastrointestinal
//! bleeding is so rare that a single hospital has to withhold it.

pub mod model;
pub mod patient;
pub mod rng;
pub mod tables;
pub mod write;

use model::Hospital;
use patient::Patient;

/// The patients of one hospital; `scale_pct` changes the number of persons, 100 is the model's own.
#[must_use]
pub fn patients(seed: u64, place: u64, hospital: &Hospital, scale_pct: u32) -> Vec<Patient> {
    let wanted = hospital.persons.saturating_mul(i64::from(scale_pct)) / 100;
    let wanted = u64::try_from(wanted).unwrap_or(0);
    (1..=wanted)
        .map(|index| Patient::draw(seed, place, index, hospital))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::model::{HOSPITALS, concept};
    use super::*;

    fn share(part: usize, whole: usize) -> i64 {
        i64::try_from(part * 1000 / whole).unwrap()
    }

    #[test]
    fn persons_do_not_depend_on_the_size_of_the_hospital() {
        let small = patients(1, 0, &HOSPITALS[0], 10);
        let large = patients(1, 0, &HOSPITALS[0], 100);
        assert_eq!(small.len(), 140);
        assert_eq!(small[..], large[..140]);
    }

    #[test]
    fn shares_follow_the_model() {
        for (place, hospital) in HOSPITALS.iter().enumerate() {
            let people = patients(1, place as u64, hospital, 1000);
            let women = people
                .iter()
                .filter(|p| p.gender == concept::FEMALE)
                .count();
            let wanted = hospital.female;
            assert!(
                (share(women, people.len()) - wanted).abs() < 30,
                "{}",
                hospital.name
            );
            let old: Vec<_> = people.iter().filter(|p| p.age() >= 65).collect();
            if old.len() > 500 {
                let ill = old.iter().filter(|p| p.has(concept::T2DM)).count();
                let wanted = model::T2DM.in_hospital(70, hospital);
                assert!(
                    (share(ill, old.len()) - wanted).abs() < 50,
                    "{}",
                    hospital.name
                );
            }
        }
    }

    #[test]
    fn only_the_diabetic_take_metformin() {
        for person in patients(3, 2, &HOSPITALS[2], 100) {
            let takes = person
                .drugs
                .iter()
                .any(|(drug, ..)| *drug == concept::METFORMIN);
            assert!(!takes || person.has(concept::T2DM));
        }
    }

    #[test]
    fn the_case_mix_differs() {
        let ill = |place: usize| {
            let people = patients(1, place as u64, &HOSPITALS[place], 100);
            share(
                people
                    .iter()
                    .filter(|p| p.has(concept::HYPERTENSION))
                    .count(),
                people.len(),
            )
        };
        assert!(ill(1) < ill(0) && ill(0) < ill(2));
    }
}
