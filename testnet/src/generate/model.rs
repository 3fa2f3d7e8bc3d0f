//! The generating model: every probability and every mean that the made-up patients come from.
//!
//! `docs/testnet.md` prints these tables; a test compares generated shares with them. All chances
//! are per mille, all measured values tenths of the unit. The model knows nothing of tables.

/// One hospital's size and case mix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hospital {
    /// Name of the node.
    pub name: &'static str,
    /// What kind of house it is, for the reader of a table.
    pub about: &'static str,
    /// Number of persons.
    pub persons: i64,
    /// Share of women, per mille.
    pub female: i64,
    /// First and last year of birth; every year between is equally likely.
    pub born: (i64, i64),
    /// Chronic disease is this many hundredths of the common prevalence.
    pub disease_pct: i64,
    /// Added to every systolic pressure, in tenths of mm Hg.
    pub sbp_shift: i64,
    /// Share of visits that are inpatient stays, per mille.
    pub inpatient: i64,
}

/// The four hospitals, whose patients differ in age, sex and disease.
pub const HOSPITALS: [Hospital; 4] = [
    Hospital {
        name: "northfield",
        about: "city teaching hospital, all ages",
        persons: 1400,
        female: 520,
        born: (1935, 2004),
        disease_pct: 100,
        sbp_shift: 0,
        inpatient: 200,
    },
    Hospital {
        name: "eastgate",
        about: "women and children",
        persons: 900,
        female: 640,
        born: (1980, 2019),
        disease_pct: 60,
        sbp_shift: -30,
        inpatient: 120,
    },
    Hospital {
        name: "southport",
        about: "heart centre, old and ill",
        persons: 700,
        female: 380,
        born: (1930, 1975),
        disease_pct: 160,
        sbp_shift: 60,
        inpatient: 400,
    },
    Hospital {
        name: "westlake",
        about: "rural practice",
        persons: 500,
        female: 505,
        born: (1930, 2010),
        disease_pct: 110,
        sbp_shift: 20,
        inpatient: 40,
    },
];

/// Ages are counted to the end of this year, whatever the day of birth.
pub const REFERENCE_YEAR: i64 = 2025;
/// First day of observation: 2021-01-01, as days since 1970-01-01.
pub const FIRST_DAY: i64 = 18_628;
/// Last day of observation: 2025-12-31.
pub const LAST_DAY: i64 = 20_453;

/// OMOP concepts that the generator uses.
pub mod concept {
    /// Male.
    pub const MALE: i64 = 8507;
    /// Female.
    pub const FEMALE: i64 = 8532;
    /// Inpatient stay.
    pub const INPATIENT: i64 = 9201;
    /// Outpatient visit.
    pub const OUTPATIENT: i64 = 9202;
    /// Emergency visit.
    pub const EMERGENCY: i64 = 9203;
    /// Type 2 diabetes.
    pub const T2DM: i64 = 201_826;
    /// High blood pressure.
    pub const HYPERTENSION: i64 = 316_866;
    /// Osteoarthritis.
    pub const OSTEOARTHRITIS: i64 = 80_180;
    /// Gastrointestinal bleeding.
    pub const GI_BLEED: i64 = 192_671;
    /// Viral sinusitis.
    pub const SINUSITIS: i64 = 40_481_087;
    /// Metformin.
    pub const METFORMIN: i64 = 1_503_297;
    /// Lisinopril.
    pub const LISINOPRIL: i64 = 1_308_216;
    /// Paracetamol.
    pub const PARACETAMOL: i64 = 1_125_315;
    /// Systolic blood pressure.
    pub const SBP: i64 = 3_004_249;
    /// Diastolic blood pressure.
    pub const DBP: i64 = 3_012_888;
    /// HbA1c.
    pub const HBA1C: i64 = 3_004_410;
    /// Body mass index.
    pub const BMI: i64 = 3_038_553;
}

/// A chance that depends on age: under 30, 30 to 49, 50 to 64, 65 and over; per mille.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByAge(pub [i64; 4]);

impl ByAge {
    /// The chance at an age.
    #[must_use]
    pub fn at(self, age: i64) -> i64 {
        let [young, adult, middle, old] = self.0;
        match age {
            ..30 => young,
            30..50 => adult,
            50..65 => middle,
            _ => old,
        }
    }

    /// The chance at an age in a hospital with its own case mix.
    #[must_use]
    pub fn in_hospital(self, age: i64, hospital: &Hospital) -> i64 {
        (self.at(age) * hospital.disease_pct / 100).min(950)
    }
}

/// Prevalence of type 2 diabetes.
pub const T2DM: ByAge = ByAge([5, 60, 140, 220]);
/// Prevalence of high blood pressure.
pub const HYPERTENSION: ByAge = ByAge([10, 120, 320, 520]);
/// Prevalence of osteoarthritis.
pub const OSTEOARTHRITIS: ByAge = ByAge([0, 20, 120, 300]);
/// Chance of gastrointestinal bleeding: rare, so that single hospitals withhold it.
pub const GI_BLEED: ByAge = ByAge([1, 3, 8, 16]);
/// Chance of having had viral sinusitis, the same in every hospital.
pub const SINUSITIS: i64 = 350;
/// Chance of death within the observation.
pub const DEATH: ByAge = ByAge([1, 5, 20, 90]);
/// Chance that a person with diabetes takes metformin.
pub const METFORMIN: i64 = 700;
/// Chance that a person with high blood pressure takes lisinopril.
pub const LISINOPRIL: i64 = 600;
/// Chance that anyone takes paracetamol.
pub const PARACETAMOL: i64 = 250;
/// Chance that a body mass index was taken.
pub const BMI_TAKEN: i64 = 800;
/// Chance that a person without diabetes has an HbA1c.
pub const HBA1C_SCREEN: i64 = 250;
/// Chance that a blood pressure was recorded without its value.
pub const VALUE_MISSING: i64 = 30;

/// Mean systolic pressure, in tenths of mm Hg: 118 at age 50, 0.4 more a year of age, 14 more with
/// high blood pressure, and the hospital's shift. Its standard deviation is [`SBP_SD`].
#[must_use]
pub fn sbp_mean(age: i64, hypertension: bool, hospital: &Hospital) -> i64 {
    let disease = if hypertension { 140 } else { 0 };
    1180 + 4 * (age - 50) + disease + hospital.sbp_shift
}

/// Standard deviation of systolic pressure, in tenths of mm Hg.
pub const SBP_SD: i64 = 110;
/// Mean and standard deviation of diastolic pressure.
pub const DBP: (i64, i64) = (780, 80);
/// Mean and standard deviation of HbA1c with diabetes, in tenths of a percent.
pub const HBA1C_T2DM: (i64, i64) = (78, 9);
/// Mean and standard deviation of HbA1c without diabetes.
pub const HBA1C_OTHER: (i64, i64) = (54, 3);
/// Mean and standard deviation of body mass index, in tenths of kg/m2.
pub const BMI: (i64, i64) = (268, 45);

/// Persons of this age and older are in the cohort that is followed up.
pub const FOLLOWED_FROM: i64 = 50;
/// Chance that such a person is followed at all.
pub const FOLLOWED: i64 = 900;
/// Months after which follow-up ends for everybody.
pub const FOLLOWED_MONTHS: i64 = 48;
/// Chance that a followed person is treated.
pub const TREATED: i64 = 500;
/// Chance of death in a month, without treatment and with it.
pub const DEATH_A_MONTH: [i64; 2] = [18, 11];
/// Chance that a person is lost in a month.
pub const LOSS_A_MONTH: i64 = 10;
