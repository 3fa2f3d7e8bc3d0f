//! The number of a row's person, as a function of the engine: the only way from a unit key to
//! evidence, the same for every table.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::persons::Registry;

/// The number of the person whose unit key stands in a column.
pub(super) fn person(registry: &Arc<Registry>, key: Expr) -> Expr {
    ScalarUDF::new_from_impl(Person {
        registry: Arc::clone(registry),
        signature: Signature::any(1, Volatility::Immutable),
    })
    .call(vec![key])
}

struct Person {
    registry: Arc<Registry>,
    signature: Signature,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person")
    }
}

impl PartialEq for Person {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.registry, &other.registry)
    }
}

impl Eq for Person {}

impl Hash for Person {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl ScalarUDFImpl for Person {
    fn name(&self) -> &'static str {
        "person"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(keys) = arrays.first() else {
            return exec_err!("a person has one unit key");
        };
        let ids = self.registry.ids(keys);
        let ids = ids.map_err(|error| DataFusionError::Execution(error.to_string()))?;
        Ok(ColumnarValue::Array(Arc::new(ids)))
    }
}
