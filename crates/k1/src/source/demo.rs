//! The built-in music as a source.

use k1_demo::Demo;

use super::{Error, Source};

impl Source for Demo {
    fn read(&mut self, out: &mut [f32]) -> Result<usize, Error> {
        self.fill(out);
        Ok(out.len())
    }

    fn title(&self) -> String {
        "built-in music".into()
    }
}
