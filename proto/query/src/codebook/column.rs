//! Reading one column, and what must hold within it: type, scale, domain, bounds, bands, roles.

use std::collections::{BTreeMap, BTreeSet};

use super::read::check_name;
use super::{Column, Role, When};
use crate::number::Number;
use crate::set::number_ordinal;
use crate::toml_reader::{FromToml, Section, Value};
use crate::value::{ColumnType, Scalar, from_civil};

const ROLES: [(&str, Role); 6] = [
    ("unit", Role::Unit),
    ("key", Role::Key),
    ("filter", Role::Filter),
    ("group", Role::Group),
    ("value", Role::Value),
    ("date", Role::Date),
];

/// A codebook's numbers stay below this, so that sums of any population fit 128 bits.
const LARGEST: i64 = 1_000_000_000_000_000;

/// Sums and means of closed domains of at most this many numbers come from counts per value.
pub(super) const SMALL_DOMAIN: usize = 20;

/// The columns of a table. One with a mistake is left out.
pub(super) fn columns(table: &Section<'_>) -> BTreeMap<String, Column> {
    let read = table
        .named("column")
        .into_iter()
        .filter_map(|(name, section)| {
            check_name(&section, &name);
            Some((name, column(&section)?))
        });
    read.collect()
}

fn column(section: &Section<'_>) -> Option<Column> {
    let ty = column_type(section);
    let roles = roles(section);
    let unit = unit_of_measure(section);
    let missing_public = section.or("missing_public", false);
    let required = section.or("required", false);
    if required && missing_public {
        let text = "a required column is never missing, remove `missing_public` or `required`";
        section.mistake("missing_public", text);
    }
    let Some(ty) = ty else {
        // Without a type nothing else can be judged; these keys are known nevertheless.
        section.skip(&[
            "sensitive",
            "domain",
            "bounds",
            "period",
            "bands",
            "cuts",
            "when",
        ]);
        return None;
    };
    let domain = section
        .value("domain")
        .and_then(|domain| self::domain(domain, ty));
    let bounds = section
        .value("bounds")
        .and_then(|bounds| self::bounds(&bounds, ty));
    let (sensitive, sensitive_values) = sensitive(section, ty);
    let mut column = Column {
        ty,
        unit,
        roles: roles.unwrap_or_default(),
        domain,
        bounds,
        period: section
            .value("period")
            .and_then(|period| self::period(&period, ty)),
        bands: numbers(section, "bands", ty),
        cuts: numbers(section, "cuts", ty),
        sensitive,
        sensitive_values,
        missing_public,
        required,
        when: whens(section, ty),
    };
    check(section, &column);
    if let Some(limits) = domain_limits(&column) {
        column.bounds = column.bounds.or(Some(limits));
    }
    Some(column)
}

fn column_type(section: &Section<'_>) -> Option<ColumnType> {
    let words = [
        ("int", 0),
        ("decimal", 1),
        ("text", 2),
        ("date", 3),
        ("bool", 4),
    ];
    let word = section.need_one_of("type", &words);
    if word != Some(1) {
        if word.is_some() && section.has("scale") {
            section.mistake("scale", "only `decimal` columns have a scale, remove it");
        }
        section.skip(&["scale"]);
    }
    Some(match word? {
        0 => ColumnType::Int,
        1 => {
            let _reported_if_missing: Option<u32> = section.need("scale");
            ColumnType::Decimal {
                scale: section.within("scale", 0..=9)?,
            }
        }
        2 => ColumnType::Text,
        3 => ColumnType::Date,
        _ => ColumnType::Bool,
    })
}

fn roles(section: &Section<'_>) -> Option<BTreeSet<Role>> {
    let entries = section.value("role")?.need_list()?;
    let read: Vec<Option<Role>> = entries.iter().map(|entry| entry.word(&ROLES)).collect();
    read.into_iter().collect()
}

fn unit_of_measure(section: &Section<'_>) -> Option<String> {
    let unit = section.get::<String>("unit");
    if unit.as_deref().is_some_and(|unit| unit.trim().is_empty()) {
        section.mistake(
            "unit",
            "the unit is empty, write its UCUM code such as \"mg/dL\", or remove it",
        );
    }
    unit
}

/// `{ 0 = "no", 1 = "yes" }`: keys compared as the column's type, in ascending order.
fn domain(value: Value<'_>, ty: ColumnType) -> Option<Vec<(Scalar, String)>> {
    let section = value.section()?;
    let entries = section.entries();
    if entries.is_empty() {
        section
            .mistake_here("the domain is empty, write `{ 0 = \"no\", 1 = \"yes\" }` or remove it");
    }
    let mut domain: BTreeMap<Scalar, String> = BTreeMap::new();
    for (key, label) in entries {
        let Some(scalar) = Scalar::parse(&key, ty).filter(|scalar| !too_large(scalar)) else {
            let wanted = ty.description();
            label.mistake(format!(
                "`{key}` is no value of type {ty}, write {wanted} as the key"
            ));
            continue;
        };
        let Some(text) = String::from_toml(label.clone()) else {
            continue;
        };
        if domain.insert(scalar.clone(), text).is_some() {
            label.mistake(format!("`{scalar}` is in the domain twice, remove one"));
        }
    }
    Some(domain.into_iter().collect())
}

/// `true` for every value, or the values that are sensitive, such as `[1]`.
fn sensitive(section: &Section<'_>, ty: ColumnType) -> (bool, Vec<Scalar>) {
    let Some(value) = section.value("sensitive") else {
        return (false, Vec::new());
    };
    let Some(entries) = value.as_list() else {
        return (value.read().unwrap_or(false), Vec::new());
    };
    if entries.is_empty() {
        value.mistake("no value is listed, write `true` for every value or remove it");
    }
    let values = entries.iter().filter_map(|entry| scalar(entry, ty));
    (true, values.collect())
}

fn bounds(value: &Value<'_>, ty: ColumnType) -> Option<(Number, Number)> {
    let entries = value.need_list()?;
    let [low, high] = entries.as_slice() else {
        value.mistake("write the least and the greatest value, such as [0, 120]");
        return None;
    };
    let (low, high) = (number(low, ty), number(high, ty));
    let (low, high) = (low?, high?);
    if low >= high {
        value.mistake(format!(
            "{low} is not below {high}, write [least, greatest]"
        ));
        return None;
    }
    Some((low, high))
}

/// `[2020-01-01, 2024-12-31]`: first and last day.
fn period(value: &Value<'_>, ty: ColumnType) -> Option<(i32, i32)> {
    if ty != ColumnType::Date {
        value.mistake(format!("a column of type {ty} has no days, remove it"));
        return None;
    }
    let entries = value.need_list()?;
    let [first, last] = entries.as_slice() else {
        value.mistake("write the first and the last day, such as [2020-01-01, 2024-12-31]");
        return None;
    };
    let day = |entry| match scalar(entry, ty)? {
        Scalar::Date(day) => Some(day),
        _ => None,
    };
    let (first, last) = (day(first), day(last));
    let (first, last) = (first?, last?);
    if first >= last {
        value.mistake("the first day is not before the last, write [first, last]");
        return None;
    }
    Some((first, last))
}

fn numbers(section: &Section<'_>, key: &str, ty: ColumnType) -> Vec<Number> {
    let entries = section
        .value(key)
        .and_then(|value| value.need_list())
        .unwrap_or_default();
    entries
        .iter()
        .filter_map(|entry| number(entry, ty))
        .collect()
}

/// A number that the column can hold exactly.
fn number(value: &Value<'_>, ty: ColumnType) -> Option<Number> {
    if !ty.is_numeric() {
        value.mistake(format!("a column of type {ty} has no numbers, remove it"));
        return None;
    }
    let number = Number::from_toml(value.clone())?;
    let scalar = Scalar::Number(number);
    if !scalar.fits(ty) || too_large(&scalar) {
        value.mistake(format!(
            "{number} is no value of type {ty}, write {}",
            ty.description()
        ));
        return None;
    }
    Some(number)
}

fn too_large(scalar: &Scalar) -> bool {
    let limit = Number::from(LARGEST);
    scalar
        .as_number()
        .is_some_and(|n| n > limit || n < Number::new(-limit.mantissa(), limit.exponent()))
}

fn whens(section: &Section<'_>, ty: ColumnType) -> Vec<When> {
    let read = section.sections("when").into_iter().filter_map(|when| {
        let set = when.need::<String>("set");
        let unit = unit_of_measure(&when);
        let bounds = match when.value("bounds") {
            Some(value) => bounds(&value, ty),
            None => {
                when.mistake_here("`bounds` is missing, write `bounds = [least, greatest]`");
                None
            }
        };
        Some(When {
            set: set?,
            unit,
            bounds: bounds?,
        })
    });
    read.collect()
}

/// Least and greatest value of a closed numeric domain.
fn domain_limits(column: &Column) -> Option<(Number, Number)> {
    let domain = column.domain.as_ref()?;
    let (low, high) = (
        domain.first()?.0.as_number()?,
        domain.last()?.0.as_number()?,
    );
    (low < high).then_some((low, high))
}

fn check(section: &Section<'_>, column: &Column) {
    check_roles(section, column);
    check_bands(section, column);
    check_domain(section, column);
    if !column.when.is_empty() && (column.bounds.is_some() || column.unit.is_some()) {
        let text = "a column with `when` has its unit and bounds there, remove `unit` and \
                    `bounds` of the column";
        section.mistake("when", text);
    }
}

fn check_roles(section: &Section<'_>, column: &Column) {
    let has = |role| column.roles.contains(&role);
    let identifier = has(Role::Unit) || has(Role::Key);
    if identifier && column.roles.len() > 1 {
        let text = "an identifier is never compared or counted, write `role = [\"unit\"]` in the \
                    unit table or `role = [\"key\"]` elsewhere";
        section.mistake("role", text);
    }
    if has(Role::Date) && column.ty != ColumnType::Date {
        section.mistake(
            "role",
            "only columns of type \"date\" can have role \"date\", remove it",
        );
    }
    if has(Role::Value) {
        if !column.ty.is_numeric() {
            let text = "only numbers can have role \"value\", remove it or write `type = \"int\"` \
                        or `type = \"decimal\"`";
            section.mistake("role", text);
        } else if let Some(values) = few_values(column) {
            let text = format!(
                "the bounds leave {values} values, so that a mean would show how many have each: \
                 declare them, `domain = {{ ... }}`"
            );
            section.mistake("bounds", text);
        } else if !section.has("bounds") && !section.has("domain") && !section.has("when") {
            let text = "an aggregated column needs limits, write `bounds = [least, greatest]`, a \
                        `domain`, or `when`";
            section.mistake_here(text);
        }
    } else if section.has("when") {
        section.mistake(
            "when",
            "only for a column with role \"value\", add the role or remove it",
        );
    }
    let decimal = matches!(column.ty, ColumnType::Decimal { .. });
    if has(Role::Group) && decimal && column.bands.is_empty() && column.domain.is_none() {
        section.mistake(
            "role",
            "decimals are grouped by bands, write `bands = [...]` or remove \"group\"",
        );
    }
}

/// How many values there are within the bounds of a column without a domain, or of one of its
/// meanings, if so few that they must be a domain.
fn few_values(column: &Column) -> Option<usize> {
    if column.domain.is_some() {
        return None;
    }
    let own = column.bounds.iter();
    let bounds = own.chain(column.when.iter().map(|when| &when.bounds));
    let values = |(low, high): &(Number, Number)| {
        let low = number_ordinal(low, column.ty)?;
        let values = number_ordinal(high, column.ty)?
            .checked_sub(low)?
            .checked_add(1)?;
        usize::try_from(values).ok()
    };
    bounds.filter_map(values).find(|n| *n <= SMALL_DOMAIN)
}

fn check_bands(section: &Section<'_>, column: &Column) {
    if column.bands.iter().any(|band| *band <= Number::ZERO) {
        section.mistake(
            "bands",
            "a band has a width above 0, write widths such as [5, 10]",
        );
    }
    if !column.bands.is_empty() && column.domain.is_some() {
        section.mistake("bands", "a column has a domain or bands, remove one");
    }
    if let Some((low, high)) = column.bounds {
        if let Some(cut) = column.cuts.iter().find(|cut| **cut < low || **cut > high) {
            section.mistake(
                "cuts",
                format!("{cut} is outside the bounds, write values from {low} to {high}"),
            );
        }
        let width = |band: &&Number| band.to_rational() > high.to_rational() - low.to_rational();
        if let Some(band) = column.bands.iter().find(width) {
            section.mistake(
                "bands",
                format!("{band} is wider than the bounds, write a smaller width"),
            );
        }
    }
}

fn check_domain(section: &Section<'_>, column: &Column) {
    if let Some(domain) = &column.domain {
        let unknown = |value: &&Scalar| !domain.iter().any(|(known, _)| known == *value);
        if let Some(value) = column.sensitive_values.iter().find(unknown) {
            let text = format!("{value} is not in the domain, write values of it");
            section.mistake("sensitive", text);
        }
    }
    let (Some(domain), Some((low, high))) = (&column.domain, column.bounds) else {
        let large = column
            .domain
            .as_ref()
            .is_some_and(|domain| domain.len() > SMALL_DOMAIN);
        if large && column.roles.contains(&Role::Value) && domain_limits(column).is_none() {
            section.mistake("domain", "a domain of this size needs numbers as keys");
        }
        return;
    };
    let outside = |value: &Number| *value < low || *value > high;
    let found = domain
        .iter()
        .filter_map(|(value, _)| value.as_number())
        .find(outside);
    if let Some(value) = found {
        section.mistake(
            "bounds",
            format!("{value} of the domain is outside, widen the bounds or remove them"),
        );
    }
}

/// A value of a column's type, written as TOML.
pub(super) fn scalar(value: &Value<'_>, ty: ColumnType) -> Option<Scalar> {
    let found = match ty {
        ColumnType::Int | ColumnType::Decimal { .. } => value.as_number().map(Scalar::Number),
        ColumnType::Text => value.as_str().map(|text| Scalar::Text(text.to_owned())),
        ColumnType::Date => value.as_date().map(|date| Scalar::Date(from_civil(date))),
        ColumnType::Bool => value.as_bool().map(Scalar::Bool),
    };
    let found = found.filter(|scalar| scalar.fits(ty));
    if found.is_none() {
        value.mistake(format!("no value of type {ty}, write {}", ty.description()));
    }
    found
}
