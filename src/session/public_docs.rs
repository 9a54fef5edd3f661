//! The documentation where the chat is, if the operator says so.
//!
//! A chapter is rendered when it is asked for first, and kept: nobody who asks again and again has
//! it rendered each time. It is served as the page's files are, with their fields.

use std::sync::OnceLock;

use crate::admin::book::{self, Reader};
use crate::page::Asset;

/// All pages of the book, of which each is there when it was asked for.
#[derive(Debug)]
pub(super) struct PublicDocs {
    pages: Vec<(String, OnceLock<Asset>)>,
}

impl PublicDocs {
    /// All of it, or nothing.
    pub(super) fn new(is_on: bool) -> Self {
        let paths = is_on.then(book::paths).into_iter().flatten();
        Self { pages: paths.map(|path| (path, OnceLock::new())).collect() }
    }

    /// All of it from now on, or nothing.
    pub(super) fn set(&mut self, is_on: bool) {
        if is_on == self.pages.is_empty() {
            *self = Self::new(is_on);
        }
    }

    /// The page at `path`.
    pub(super) fn find(&self, path: &str) -> Option<&Asset> {
        let (path, place) = self.pages.iter().find(|(known, _)| known == path)?;
        if let Some(asset) = place.get() {
            return Some(asset);
        }
        let (content_type, body) = book::page(path, Reader::Public)?;
        Some(place.get_or_init(|| Asset::new(path.clone(), content_type, body.into_bytes())))
    }
}
