//! Rows that are written at once, column by column.

use std::collections::BTreeMap;

use crate::pg::{Param, Row, Statement, WrongType};

/// Who asks an engine and waits for its answer.
pub trait Ask {
    /// Why there is none.
    type Error: From<WrongType>;

    /// Has a statement done.
    ///
    /// # Errors
    ///
    /// Why it could not be.
    fn ask_for(
        &mut self,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, Self::Error>;
}

/// The lists of one column each.
#[derive(Default)]
pub(super) struct Table<'a> {
    ints: BTreeMap<usize, Vec<Option<i64>>>,
    texts: BTreeMap<usize, Vec<Option<&'a str>>>,
}

impl<'a> Table<'a> {
    /// Adds a number to a column.
    pub(super) fn int(&mut self, column: usize, value: impl Into<Option<i64>>) {
        self.ints.entry(column).or_default().push(value.into());
    }

    /// Adds a text to a column.
    pub(super) fn text(&mut self, column: usize, value: impl Into<Option<&'a str>>) {
        self.texts.entry(column).or_default().push(value.into());
    }

    /// Has a statement done, if there is any row; `first` comes before the columns.
    pub(super) fn put<A: Ask>(
        &self,
        engine: &mut A,
        statement: Statement,
        first: Option<i64>,
    ) -> Result<(), A::Error> {
        let mut params: BTreeMap<usize, Param<'_>> = BTreeMap::new();
        params.extend(self.ints.iter().map(|(column, list)| (*column, Param::Ints(list))));
        params.extend(self.texts.iter().map(|(column, list)| (*column, Param::Texts(list))));
        if params.is_empty() {
            return Ok(());
        }
        let first = first.map(Param::Int).into_iter();
        let all: Vec<Param<'_>> = first.chain(params.into_values()).collect();
        engine.ask_for(statement, &all).map(drop)
    }
}
