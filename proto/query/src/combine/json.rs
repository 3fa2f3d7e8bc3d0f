//! The combined table as JSON with a fixed order of fields: the bytes that coordinator and SDK
//! compare, and the form in which results print it.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::{ColumnInfo, Combined, CombinedCell, CombinedRow, CombinedTables, Kind, Note};
use crate::answer::{Mode, Protection};

impl Combined {
    pub(super) fn to_json(&self) -> String {
        // Maps have text keys and numbers are text or integers: writing to memory cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn key_names(&self) -> impl Iterator<Item = &ColumnInfo> {
        self.columns
            .iter()
            .filter(|column| column.kind == Kind::Key)
    }

    fn cell_names(&self) -> impl Iterator<Item = &ColumnInfo> {
        self.columns
            .iter()
            .filter(|column| column.kind != Kind::Key)
    }
}

impl CombinedTables {
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for CombinedTables {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        let tables: Vec<Named<'_>> = self.tables.iter().map(|(n, t)| Named(n, t)).collect();
        map.serialize_entry("tables", &tables)?;
        map.end()
    }
}

struct Named<'a>(&'a str, &'a Combined);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("name", self.0)?;
        map.serialize_entry("table", self.1)?;
        map.end()
    }
}

impl Serialize for Combined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("columns", &self.columns)?;
        map.serialize_entry("rows", &Rows(self))?;
        map.serialize_entry("protection", &self.protection.map(Shown))?;
        map.serialize_entry("notes", &self.notes)?;
        map.end()
    }
}

impl Serialize for ColumnInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        map.serialize_entry("kind", self.kind.name())?;
        for (field, value) in [
            ("of", self.of),
            ("unit", self.unit.as_deref()),
            ("type", self.ty),
        ] {
            if let Some(value) = value {
                map.serialize_entry(field, value)?;
            }
        }
        map.end()
    }
}

struct Rows<'a>(&'a Combined);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.rows.len()))?;
        for row in &self.0.rows {
            list.serialize_element(&RowOf(self.0, row))?;
        }
        list.end()
    }
}

struct RowOf<'a>(&'a Combined, &'a CombinedRow);

impl Serialize for RowOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("key", &Keys(self.0, self.1))?;
        map.serialize_entry("cells", &Cells(self.0, self.1))?;
        map.end()
    }
}

struct Keys<'a>(&'a Combined, &'a CombinedRow);

impl Serialize for Keys<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.key_names().zip(&self.1.key);
        serializer.collect_map(pairs.map(|(column, value)| (&column.name, value.to_json())))
    }
}

struct Cells<'a>(&'a Combined, &'a CombinedRow);

impl Serialize for Cells<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pairs = self.0.cell_names().zip(&self.1.cells);
        serializer.collect_map(pairs.map(|(column, cell)| (&column.name, cell)))
    }
}

impl Serialize for CombinedCell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.withheld {
            map.serialize_entry("withheld", &true)?;
        } else {
            map.serialize_entry("value", &self.value)?;
            map.serialize_entry("lower", &self.lower)?;
            map.serialize_entry("upper", &self.upper)?;
        }
        map.serialize_entry("nodes", &self.nodes)?;
        map.serialize_entry("eligible", &self.eligible)?;
        if self.near_earlier {
            map.serialize_entry("near_earlier", &true)?;
        }
        if !self.sites.is_empty() {
            map.serialize_entry("sites", &self.sites)?;
        }
        map.end()
    }
}

impl Serialize for Note {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("code", self.code)?;
        map.serialize_entry("text", &self.text)?;
        map.end()
    }
}

struct Shown(Protection);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Protection {
            mode,
            k,
            round_base,
        } = self.0;
        let mut map = serializer.serialize_map(None)?;
        match mode {
            Mode::Round => {
                map.serialize_entry("k", &k)?;
                map.serialize_entry("round_base", &round_base)?;
                map.serialize_entry("mode", "round")?;
            }
            Mode::CellKey { bound } => {
                map.serialize_entry("k", &k)?;
                map.serialize_entry("round_base", &round_base)?;
                map.serialize_entry("noise_bound", &bound)?;
                map.serialize_entry("mode", "cell_key")?;
            }
            Mode::None => map.serialize_entry("mode", "none")?,
        }
        map.end()
    }
}
