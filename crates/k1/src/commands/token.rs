//! `k1 token`: prints the token that opens the page from other machines.

use super::{Failure, print};
use crate::cli::TokenArgs;
use crate::web::token::{self, Source};

/// Prints the token that K1 keeps.
pub fn token(args: TokenArgs) -> Result<(), Failure> {
    let token = if args.new { token::renew()? } else { token::kept()? };
    if let Source::ThisRun(why) = token.source() {
        return Err(Failure::new(format!("there is no token to print: {why}")));
    }
    print(format!("{}\n", token.text()).as_bytes())
}
