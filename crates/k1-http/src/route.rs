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
    /// Deletes something.
    Delete,
}

impl Method {
    /// Its name in a request.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }

    /// The method of this name; `None` for a method that no route has.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Get, Self::Post, Self::Put, Self::Delete].into_iter().find(|method| method.name() == name)
    }
}

/// One path and method; `A` is the type of the action.
#[derive(Clone, Copy, Debug)]
pub struct Route<A> {
    /// HTTP method of the route.
    pub method: Method,
    /// Path of the route. A part `{name}` stands for any text without a slash.
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
        if name_in(route.path, path).is_some() {
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
    let takes = |method| routes.iter().any(|r| r.method == method && name_in(r.path, path).is_some());
    if takes(Method::Delete) {
        return "PUT, DELETE, OPTIONS";
    }
    match (takes(Method::Get), takes(Method::Post), takes(Method::Put)) {
        (false, false, false) => "OPTIONS",
        (true, false, false) => "GET, OPTIONS",
        (false, true, false) => "POST, OPTIONS",
        (true, true, _) => "GET, POST, OPTIONS",
        (true, false, true) => "GET, PUT, OPTIONS",
        (false, _, true) => "PUT, OPTIONS",
    }
}

/// What `path` has in place of the part `{name}` of a route's path, as it was sent; empty for a route without that part.
/// `None` if the path is not one of the route.
pub fn name_in<'a>(route: &str, path: &'a str) -> Option<&'a str> {
    let Some((before, after)) = route.split_once("{name}") else {
        return (route == path).then_some("");
    };
    let name = path.strip_prefix(before)?.strip_suffix(after)?;
    (!name.is_empty() && !name.contains('/')).then_some(name)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_part_of_a_path() {
        let named = |path| name_in("/scenes/{name}/recall", path);
        assert_eq!(named("/scenes/Late%20dinner/recall"), Some("Late%20dinner"));
        for wrong in
            ["/scenes//recall", "/scenes/a/b/recall", "/scenes/a", "/scenes/recall", "/scenes/a/recall/"]
        {
            assert_eq!(named(wrong), None, "{wrong}");
        }
        assert_eq!((name_in("/x", "/x"), name_in("/x", "/y")), (Some(""), None));
        assert_eq!(name_in("/scenes/{name}", "/scenes/a"), Some("a"));
        assert_eq!(name_in("/scenes/{name}", "/scenes/"), None);
    }
}
