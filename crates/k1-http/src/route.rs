//! A path, its method and its limits: one row of a table of routes.

use crate::rejection::Rejection;

/// HTTP methods of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads something.
    Get,
    /// Changes something.
    Post,
    /// Replaces something.
    Put,
}

impl Method {
    /// The method of this name; `None` for a method that no route has.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "GET" => Some(Self::Get),
            "POST" => Some(Self::Post),
            "PUT" => Some(Self::Put),
            _ => None,
        }
    }
}

/// One path and method; `A` is the type of the action.
#[derive(Clone, Copy, Debug)]
pub struct Route<A> {
    /// HTTP method of the route.
    pub method: Method,
    /// Path of the route.
    pub path: &'static str,
    /// What the route does.
    pub action: A,
    /// Minimum interval in ms between two requests of one client.
    pub interval_ms: u32,
    /// Largest body in bytes.
    pub max_body: usize,
    /// What the route does, as a sentence for people.
    pub summary: &'static str,
}

/// The route for a method and a path, and its index in the table.
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
    /// Entity tag; it changes with the content.
    pub tag: crate::etag::Tag,
    /// The content as it is sent.
    pub content: &'static [u8],
    /// True if the content is compressed with gzip.
    pub packed: bool,
}
