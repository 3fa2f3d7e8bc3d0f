//! What data may be used for: a closed list. Planning of services is kept apart from research,
//! and what must never be a purpose cannot be written down at all.

use serde::{Deserialize, Serialize};

/// A permitted purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Scientific research.
    Research,
    /// Protecting the health of a population.
    PublicHealth,
    /// Official statistics.
    Statistics,
    /// Planning and running of health services: not research.
    ServicePlanning,
    /// Safety and quality of care, of medicines or devices.
    CareQuality,
    /// Teaching of those who will work in care or research.
    Education,
}

/// Words for purposes that are refused by name, so that the applicant knows why.
const NEVER: [&str; 8] = [
    "marketing",
    "advertising",
    "insurance",
    "credit",
    "employment",
    "law-enforcement",
    "immigration",
    "profiling",
];

/// A text that names no permitted purpose.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurposeError {
    /// Refused for ever.
    #[error("`{0}` is never a permitted purpose")]
    Never(String),
    /// Not on the list.
    #[error(
        "not a purpose: write research, public-health, statistics, service-planning, care-quality or education"
    )]
    Unknown,
}

impl Purpose {
    /// Every permitted purpose.
    pub const ALL: [Purpose; 6] = [
        Purpose::Research,
        Purpose::PublicHealth,
        Purpose::Statistics,
        Purpose::ServicePlanning,
        Purpose::CareQuality,
        Purpose::Education,
    ];

    /// How it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Research => "research",
            Self::PublicHealth => "public-health",
            Self::Statistics => "statistics",
            Self::ServicePlanning => "service-planning",
            Self::CareQuality => "care-quality",
            Self::Education => "education",
        }
    }

    /// Reads a purpose.
    ///
    /// # Errors
    /// If it is forbidden or unknown.
    pub fn parse(text: &str) -> Result<Self, PurposeError> {
        let known = Self::ALL.into_iter().find(|p| p.as_str() == text);
        known.ok_or_else(|| {
            let word = text.trim().to_lowercase().replace([' ', '_'], "-");
            match NEVER.iter().any(|never| word.contains(never)) {
                true => PurposeError::Never(text.chars().take(80).collect()),
                false => PurposeError::Unknown,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Purpose, PurposeError};

    #[test]
    fn what_must_never_be_a_purpose_cannot_be_stored() {
        for word in [
            "insurance",
            "Marketing",
            "direct marketing",
            "credit_scoring",
        ] {
            assert!(matches!(Purpose::parse(word), Err(PurposeError::Never(_))));
            let json = format!("\"{word}\"");
            assert!(serde_json::from_str::<Purpose>(&json).is_err());
        }
        assert_eq!(Purpose::parse("fun"), Err(PurposeError::Unknown));
    }

    #[test]
    fn a_purpose_has_one_word_everywhere() {
        for purpose in Purpose::ALL {
            assert_eq!(Purpose::parse(purpose.as_str()), Ok(purpose));
            let json = serde_json::to_string(&purpose).unwrap();
            assert_eq!(json, format!("\"{}\"", purpose.as_str()));
        }
    }
}
