//! A path, its method and its limits, as the table of a home says them.

use crate::rejection::Rejection;

/// HTTP methods of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Read.
    Get,
    /// Change.
    Post,
    /// Replace.
    Put,
}

impl Method {
    /// The method of this name; `None` for one that no route has.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            _ => None,
        }
    }
}

/// One path and method; `A` is what it does.
#[derive(Clone, Copy, Debug)]
pub struct Route<A> {
    /// Method.
    pub method: Method,
    /// Path.
    pub path: &'static str,
    /// What it does.
    pub action: A,
    /// Least interval between two requests of one client, in ms.
    pub interval_ms: u32,
    /// Largest body in bytes.
    pub max_body: usize,
    /// What it does, for people.
    pub summary: &'static str,
}

/// The route for a method and a path, and its place in the table.
///
/// # Errors
///
/// [`Rejection::NotFound`] or [`Rejection::MethodNotAllowed`].
pub fn find<A>(
    routes: &'static [Route<A>],
    method: Option<Method>,
    path: &str,
) -> Result<(usize, &'static Route<A>), Rejection> {
    let mut known = false;
    for (i, route) in routes.iter().enumerate() {
        if route.path == path {
            known = true;
            if Some(route.method) == method {
                return Ok((i, route));
            }
        }
    }
    Err(if known {
        Rejection::MethodNotAllowed { allow: methods(routes, path) }
    } else {
        Rejection::NotFound
    })
}

/// The methods that a path takes, as `Allow` names them.
fn methods<A>(routes: &[Route<A>], path: &str) -> &'static str {
    let takes = |method| routes.iter().any(|r| r.path == path && r.method == method);
    match (takes(Method::Get), takes(Method::Post), takes(Method::Put)) {
        (false, false, false) => "OPTIONS",
        (true, false, false) => "GET, OPTIONS",
        (false, true, false) => "POST, OPTIONS",
        (true, true, _) => "GET, POST, OPTIONS",
        (true, false, true) => "GET, PUT, OPTIONS",
        (false, _, true) => "PUT, OPTIONS",
    }
}

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Path in a request.
    pub path: &'static str,
    /// Media type.
    pub media_type: &'static str,
    /// Changes with the content.
    pub tag: crate::etag::Tag,
    /// The content as it is sent.
    pub content: &'static [u8],
    /// True if the content is packed with gzip.
    pub packed: bool,
}
