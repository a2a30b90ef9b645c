//! A look as a link.

use serde_json::json;

use super::Place;

const LOOK: &str = "JSON.stringify([k1.play.target.look.pattern, k1.play.target.look.params])";
const TOLD: &str = "document.getElementById('told').textContent";

pub fn a_link_gives_the_same_look(place: &Place) {
    let mut page = place.page(&[]);
    page.wait("the choices", "k1.play.params && k1.play.target.look");
    let was = page.eval(LOOK);
    page.eval(
        "k1.link.post({ pattern: 'lava', params: { palette_id: 3, softness: 0.4, speed: 0.123, brightness: 0.7 } })",
    );
    page.wait(
        "the look",
        "k1.play.target.look.pattern === 'lava' && k1.play.target.look.params.palette_id === 3",
    );
    let (look, link) = (page.eval(LOOK), page.eval("import('./look.js').then((m) => m.share())"));
    let link = link.as_str().unwrap();
    println!("site: {link}");
    assert!(
        link.ends_with("#look?pattern=lava&palette=ember_night&brightness=0.7&softness=0.4&speed=0.123"),
        "{link}"
    );

    // Somebody else opens it, who has had another look.
    let mut other = place.page(&[]);
    other.wait("the choices", "k1.play.params && k1.play.target.look");
    assert_eq!(other.eval(LOOK), was);
    other.open(link);
    other.wait("the look of the link", &format!("{LOOK} === {}", json!(look.as_str().unwrap())));
    // Without parameters, those of the defaults.
    other.eval("location.hash = '#look?pattern=bloom&palette=lagoon'");
    other.wait(
        "the defaults",
        "k1.play.target.look.pattern === 'bloom' && k1.play.target.look.params.softness === 0.25",
    );
    let look = other.eval(LOOK);
    for (wrong, says) in [
        ("pattern=nothing&palette=lagoon", "a pattern “nothing”"),
        ("palette=lagoon", "a pattern “”"),
        ("pattern=lava&palette=%3Cb%3E", "a palette “<b>”"),
        ("pattern=lava&palette=lagoon&speed=fast", "speed=fast, which is not a number"),
        ("pattern=lava&palette=lagoon&speed=", "speed=, which is not a number"),
        ("pattern=lava&palette=lagoon&loud=1", "a parameter “loud”"),
        ("pattern=lava&palette=lagoon&palette_id=99", "a parameter “palette_id”"),
    ] {
        other.eval(&format!("location.hash = '#look?{wrong}'"));
        other.wait(says, &format!("{TOLD}.includes({})", json!(says)));
    }
    assert_eq!(other.eval(LOOK), look, "a wrong link changes nothing");
    // A value out of range is brought into it, as by the API.
    other.eval("location.hash = '#look?pattern=lava&palette=lagoon&speed=99'");
    other.wait("the most", "k1.play.target.look.pattern === 'lava' && k1.play.target.look.params.speed <= 1");
    assert_eq!(page.errors(), Vec::<String>::new());
}
