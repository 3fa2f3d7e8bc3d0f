//! Conversion to the codebook's type as an expression of a plan.
//!
//! Only for sources that are scanned at each question. All their rows were converted once, when the
//! epoch began, so that a failure here means that a file changed meanwhile. Its text holds no value.

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Column as Name;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, cast,
};
use quorate_query::codebook::{Column, Table};
use quorate_query::value::ColumnType;

use super::convert::{Limits, arrow_type, convert, narrowed};

/// One expression for each column of the codebook, under its name, over what a map gave.
pub(crate) fn columns(table: &Table, from: &SchemaRef) -> Vec<Expr> {
    let columns = table.columns.iter();
    let columns = columns.map(|(name, column)| {
        let raw = Expr::Column(Name::from_name(name));
        let found = from
            .field_with_name(name)
            .map_or(DataType::Null, |field| field.data_type().clone());
        typed(raw, &found, column).alias(name)
    });
    columns.collect()
}

/// Plain columns and widening casts stay visible to the engine, so that it can skip row groups.
fn typed(raw: Expr, found: &DataType, column: &Column) -> Expr {
    let target = arrow_type(column.ty);
    match (Limits::of(column), found) {
        (Limits::Open, found) if *found == target => raw,
        (
            Limits::Open,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32,
        ) if column.ty == ColumnType::Int => cast(raw, target),
        (Limits::Open, DataType::LargeUtf8 | DataType::Utf8View)
            if column.ty == ColumnType::Text =>
        {
            cast(raw, target)
        }
        (limits, _) => {
            let signature = Signature::any(1, Volatility::Immutable);
            ScalarUDF::new_from_impl(Strict {
                ty: column.ty,
                limits,
                signature,
            })
            .call(vec![raw])
        }
    }
}

/// The function: a column in, the same column of the codebook's type and domain out.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Strict {
    ty: ColumnType,
    limits: Limits,
    signature: Signature,
}

impl ScalarUDFImpl for Strict {
    fn name(&self) -> &'static str {
        "quorate_strict"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType, DataFusionError> {
        Ok(arrow_type(self.ty))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let failed = || {
            DataFusionError::Execution("a source changed since its rows were checked".to_owned())
        };
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let converted =
            convert(arrays.first().ok_or_else(failed)?, self.ty).map_err(|_| failed())?;
        if !converted.bad.is_empty() {
            return Err(failed());
        }
        let array = narrowed(&converted.array, &self.limits, self.ty).0;
        Ok(ColumnarValue::Array(array))
    }
}
