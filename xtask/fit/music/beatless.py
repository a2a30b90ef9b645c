"""Sound without a beat, 30 s each: noises, weather, machines, drones, irregular knocks, speech and babble.

Nothing here repeats evenly: events happen at random moments. espeak-ng (GPL-3 or later) speaks the sentences.
"""

import subprocess
import tempfile

import numpy as np
from scipy.io import wavfile
from scipy.signal import butter, fftconvolve, resample_poly, sosfilt

RATE = 16000
SECONDS = 30
COUNT = RATE * SECONDS

LANGUAGES = {
    "en-gb": (
        "The train will leave a little later than we thought, so there is time for another cup of tea. Did you "
        "hear what she said about the garden? Nobody had watered it for weeks, and yet the roses were in flower."
    ),
    "en-us": (
        "I was going to call you yesterday, but the phone was dead. Anyway, the meeting has been moved to "
        "Thursday, and we need someone who can take notes. Well, it could be worse."
    ),
    "de": (
        "Gestern hat es den ganzen Tag geregnet, heute scheint endlich die Sonne. Kannst du bitte Brot und Milch "
        "mitbringen? Der Schlüssel liegt unter der Matte, wie immer."
    ),
    "fr-fr": (
        "Je ne sais pas encore si nous partirons demain, cela dépend du temps. Les enfants jouent dans la cour, "
        "et leur grand-mère les regarde de la fenêtre. Quelle belle journée!"
    ),
    "es": (
        "Mañana vamos a comer con mis padres en el pueblo. Hace mucho tiempo que no los vemos, y tengo ganas de "
        "hablar con ellos. ¿Has cerrado la puerta?"
    ),
    "it": (
        "La strada era lunga e il sole era già basso. Ci siamo fermati vicino al fiume per mangiare qualcosa, poi "
        "abbiamo ripreso il cammino verso la montagna."
    ),
    "pt-br": (
        "O barco chegou ao porto antes do amanhecer. Ninguém estava à espera, apenas um cão velho que dormia ao "
        "lado das redes. Depois começou a chover."
    ),
    "nl": (
        "Op de markt kocht hij appels, kaas en een bos bloemen. Het was koud, maar de lucht was helder, en overal "
        "hoorde je mensen praten en lachen."
    ),
    "pl": (
        "Wczoraj wieczorem czytałem książkę, aż zgasło światło. Potem siedzieliśmy w kuchni przy świecach i "
        "opowiadaliśmy sobie stare historie."
    ),
    "sv": (
        "Det snöade hela natten och på morgonen var allt tyst. Vi tog skidorna och gick över sjön till den lilla "
        "stugan där min farfar brukade bo."
    ),
    "tr": ("Sabah erkenden pazara gittik, ama dükkanlar henüz açılmamıştı. Bir bardak çay içtik ve denizi seyrettik."),
    "fi": ("Kesällä istuimme laiturilla ja katselimme järveä. Vesi oli tyyni, ja kaukana kuului kuikan huuto."),
    "hu": ("Tegnap este sokáig beszélgettünk a régi barátainkról. Senki sem vette észre, hogy közben már hajnalodik."),
    "cs": ("V lese bylo ticho a mezi stromy ležela mlha. Šli jsme pomalu, protože cesta byla kluzká."),
}
VARIANTS = ("", "+m1", "+m3", "+m5", "+m7", "+f1", "+f2", "+f4", "+croak", "+whisper")


def coloured(rng, slope, count=COUNT):
    """Noise whose level falls by `slope` times 6 dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** slope
    spectrum[0] = 0
    sound = np.fft.irfft(spectrum, count)
    return sound / sound.std()


def slow(rng, seconds, low=0.0):
    """A curve between `low` and 1 that changes within about `seconds`, without a period."""
    points = rng.random(int(SECONDS / seconds) + 3)
    at = np.cumsum(np.concatenate([[0], rng.uniform(0.4, 1.6, len(points) - 1)])) * seconds
    return low + (1 - low) * np.interp(np.arange(COUNT) / RATE, at, points)


def band(sound, low, high):
    return sosfilt(butter(2, [low, high], "band", fs=RATE, output="sos"), sound)


def moments(rng, mean, shortest=0.0):
    """Random moments, on the mean `mean` seconds apart."""
    at = rng.exponential(mean)
    while at < SECONDS - 0.1:
        yield at
        at += shortest + rng.exponential(mean)


def put(sound, at, part):
    start = min(len(sound), int(at * RATE))
    end = min(len(sound), start + len(part))
    sound[start:end] += part[: end - start]


def ping(rng, pitch, seconds, partials=1):
    t = np.arange(int(6 * seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * pitch * k * (1 + rng.normal(0, 0.01)) * t) / k for k in range(1, partials + 1))
    return sound * np.exp(-t / seconds) * np.minimum(1, t / 0.001)


def noise(rng):
    return coloured(rng, rng.choice([-0.5, 0, 0.25, 0.5, 1.0]))


def wind(rng):
    low, high = band(coloured(rng, 0.5), 80, 500), band(coloured(rng, 0.5), 400, 1500)
    return low * slow(rng, 2, 0.2) + high * slow(rng, 1.2) ** 2


def rain(rng):
    sound = 0.3 * coloured(rng, 0.3) * slow(rng, 4, 0.6)
    for at in moments(rng, rng.uniform(0.005, 0.05)):
        put(sound, at, ping(rng, rng.uniform(800, 6000), rng.uniform(0.001, 0.006)) * rng.exponential(0.8))
    return sound


def drips(rng):
    sound = 0.01 * coloured(rng, 0.5)
    for at in moments(rng, rng.uniform(0.3, 1.2)):
        put(sound, at, ping(rng, rng.uniform(500, 2500), rng.uniform(0.01, 0.05)) * rng.uniform(0.3, 1))
    return sound


def sea(rng):
    return coloured(rng, 0.5) * slow(rng, 5, 0.05) ** 2 + 0.3 * band(coloured(rng, 0), 1500, 6000) * slow(rng, 4) ** 3


def fire(rng):
    sound = 0.2 * coloured(rng, 1.0) * slow(rng, 0.7, 0.5)
    for at in moments(rng, 0.06):
        put(sound, at, rng.standard_normal(60) * np.exp(-np.arange(60) / 12) * rng.exponential(1.0))
    return sound


def hum(rng):
    t, mains = np.arange(COUNT) / RATE, rng.choice([50, 60])
    return sum(
        rng.uniform(0, 1) / k * np.sin(2 * np.pi * mains * k * t + rng.uniform(0, 6)) for k in range(1, 14)
    ) + 0.05 * coloured(rng, 0.3)


def drone(rng):
    t, root = np.arange(COUNT) / RATE, rng.uniform(55, 220)
    return sum(
        slow(rng, rng.uniform(1, 5), 0.2) * np.sin(2 * np.pi * root * k * t * (1 + rng.normal(0, 0.002))) / k**0.7
        for k in (1, 1.5, 2, 3, 4, 5, 6)
    )


def pad(rng):
    """Chords that fade into one another at uneven times."""
    t, sound, at, root = np.arange(COUNT) / RATE, np.zeros(COUNT), 0.0, rng.uniform(100, 220)
    while at < SECONDS:
        length = rng.uniform(3, 8)
        level = np.clip(np.minimum(t - at + 1.5, at + length + 1.5 - t) / 3, 0, 1)
        for step in rng.choice([0, 3, 5, 7, 10, 12, 15, 19], 4, replace=False):
            pitch = root * 2 ** (step / 12)
            sound += level * sum(
                np.sin(2 * np.pi * pitch * k * t * rng.uniform(0.998, 1.002)) / k**1.3 for k in (1, 2, 3)
            )
        at += length
    return sound


def applause(rng):
    sound = np.zeros(COUNT)
    for _ in range(int(rng.integers(15, 60))):
        pace, pitch, loud, at = rng.uniform(0.18, 0.4), rng.uniform(700, 2500), rng.uniform(0.1, 1), rng.uniform(0, 2)
        clap = band(rng.standard_normal(900), pitch * 0.6, pitch * 1.8) * np.exp(-np.arange(900) / 120)
        while at < SECONDS - 0.1:
            put(sound, at, clap * loud * rng.uniform(0.5, 1))
            at += pace * rng.uniform(0.7, 1.4)
    return sound * slow(rng, 6, 0.3)


def birds(rng):
    sound = 0.02 * coloured(rng, 0.5)
    for _ in range(int(rng.integers(2, 6))):
        pitch, kind = rng.uniform(1800, 5500), rng.uniform(0.1, 0.35)
        for at in moments(rng, rng.uniform(0.8, 3)):
            for _ in range(int(rng.integers(1, 6))):
                n = int(rng.uniform(0.03, 0.15) * RATE)
                sweep = pitch * (1 + kind * np.sin(np.linspace(0, rng.uniform(1, 9), n) + rng.uniform(0, 6)))
                put(sound, at, np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * np.hanning(n) * rng.uniform(0.2, 1))
                at += rng.uniform(0.04, 0.3)
    return sound


def engine(rng):
    """A motor whose speed wanders: its strokes are too fast to be beats."""
    speed = 25 + 60 * slow(rng, rng.uniform(1, 5), 0.1)
    phase = 2 * np.pi * np.cumsum(speed) / RATE
    sound = sum(rng.uniform(0.2, 1) / k**0.6 * np.sin(k * phase + rng.uniform(0, 6)) for k in range(1, 20))
    return np.tanh(sound) + 0.3 * coloured(rng, 0.5)


def typing(rng):
    sound = 0.01 * coloured(rng, 0.5)
    for at in moments(rng, rng.uniform(0.8, 2)):
        for _ in range(int(rng.integers(1, 14))):
            n = 500
            key = band(rng.standard_normal(n), 900, 6000) * np.exp(-np.arange(n) / 70)
            put(sound, at, key * rng.uniform(0.3, 1))
            put(sound, at + rng.uniform(0.05, 0.1), 0.4 * key[::-1][:300] * np.exp(-np.arange(300) / 60))
            at += rng.lognormal(-2.0, 0.5)
    return sound


def traffic(rng):
    t, sound = np.arange(COUNT) / RATE, 0.2 * coloured(rng, 0.8)
    for at in moments(rng, rng.uniform(1, 4)):
        near = 1 / (1 + ((t - at) / rng.uniform(0.4, 1.5)) ** 2)
        sound += near * rng.uniform(0.3, 1.5) * band(rng.standard_normal(COUNT), 60, rng.uniform(600, 3000))
    return sound


def clatter(rng):
    """Dishes, tools, doors: knocks of all kinds at random moments."""
    sound = 0.02 * coloured(rng, 0.5)
    for at in moments(rng, rng.uniform(0.2, 1.0)):
        part = ping(
            rng, np.exp(rng.uniform(np.log(120), np.log(5000))), rng.uniform(0.005, 0.12), int(rng.integers(1, 7))
        )
        put(sound, at, part * rng.exponential(0.5))
    return sound


def knock(rng):
    """A short sound of any material: wood, glass, metal, a spark, a drop."""
    kind, pitch = rng.random(), np.exp(rng.uniform(np.log(100), np.log(6000)))
    if kind < 0.4:
        n = int(np.exp(rng.uniform(np.log(30), np.log(1500))))
        part = rng.standard_normal(n) * np.exp(-5 * np.arange(n) / n)
        return part if pitch > 3000 else band(part, 0.6 * pitch, min(7000, 2 * pitch))
    if kind < 0.8:
        return ping(rng, pitch, np.exp(rng.uniform(np.log(0.002), np.log(0.15))), int(rng.integers(1, 6)))
    # A drop: its pitch rises as its bubble closes.
    n = int(rng.uniform(0.01, 0.06) * RATE)
    rising = pitch * (1 + rng.uniform(0.2, 1) * np.arange(n) / n)
    return np.sin(2 * np.pi * np.cumsum(rising) / RATE) * np.exp(-4 * np.arange(n) / n)


def crackle(rng):
    """Sparks, pops, a crowd of knocks: one or a few materials, now sparse and now dense."""
    sound = rng.uniform(0, 0.3) * coloured(rng, rng.uniform(0, 1)) * slow(rng, 1, 0.5)
    parts = [knock(rng) for _ in range(int(rng.integers(1, 6)))]
    mean, spread = np.exp(rng.uniform(np.log(0.02), np.log(0.6))), rng.uniform(0.3, 1.2)
    dense = slow(rng, rng.uniform(0.5, 6), 0.15)
    for at in moments(rng, 0.15 * mean):
        if rng.random() < 0.15 * dense[min(COUNT - 1, int(at * RATE))] ** 2 * 3:
            part = parts[int(rng.integers(len(parts)))]
            put(sound, at, part * rng.lognormal(0, spread))
    return sound


def bustle(rng):
    """Steps, keys, work of hands: gaps of all lengths about a usual one, with rests."""
    sound = rng.uniform(0, 0.1) * coloured(rng, 0.5)
    parts = [knock(rng) for _ in range(int(rng.integers(1, 4)))]
    at, usual = rng.uniform(0, 1), np.exp(rng.uniform(np.log(0.12), np.log(0.9)))
    while at < SECONDS - 0.1:
        put(sound, at, parts[int(rng.integers(len(parts)))] * rng.uniform(0.3, 1))
        at += usual * rng.lognormal(0, rng.uniform(0.45, 0.8)) + (rng.exponential(2) if rng.random() < 0.05 else 0)
        usual = np.clip(usual * rng.lognormal(0, 0.15), 0.1, 1.2)
    return sound


def chimes(rng):
    sound, scale = np.zeros(COUNT), rng.uniform(600, 1200) * 2 ** (np.array([0, 2, 4, 7, 9, 12]) / 12)
    for at in moments(rng, rng.uniform(0.4, 1.5)):
        put(sound, at, ping(rng, rng.choice(scale), rng.uniform(0.3, 0.8), 3) * rng.uniform(0.1, 1))
    return sound


def radio(rng):
    """Static, and whistles that sweep."""
    t, sound = np.arange(COUNT) / RATE, coloured(rng, 0.1) * slow(rng, 0.5, 0.2)
    sweep = 400 + 2500 * slow(rng, 1.5)
    return sound + np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * slow(rng, 1) ** 2 + 0.1 * np.sin(2 * np.pi * 50 * t)


def quiet(rng):
    """An empty room: the faint noise of a microphone."""
    return coloured(rng, rng.uniform(0, 0.6))


def say(rng, language):
    """At least 30 s of one voice, with pauses between the sentences."""
    sentences = [
        part.strip() for part in LANGUAGES[language].replace("?", ".").replace("!", ".").split(".") if part.strip()
    ]
    voice = language + str(rng.choice(VARIANTS))
    speed, pitch, parts, length = int(rng.uniform(110, 240)), int(rng.uniform(20, 80)), [], 0
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        while length < COUNT + RATE:
            words = str(rng.choice(sentences)).split()
            cut = words[int(rng.integers(0, max(1, len(words) // 2))) :]
            subprocess.run(
                ["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", file.name, " ".join(cut)],
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            rate, sound = wavfile.read(file.name)
            sound = resample_poly(sound / 32768, RATE, rate)
            parts += [sound, np.zeros(int(rng.exponential(0.5) * RATE))]
            length += len(parts[-1]) + len(parts[-2])
    sound = np.concatenate(parts)
    start = int(rng.integers(0, len(sound) - COUNT))
    return sound[start : start + COUNT]


def speech(language):
    def one(rng):
        sound = say(rng, language)
        if rng.random() < 0.5:
            n = int(rng.uniform(0.1, 0.7) * RATE)
            room = rng.standard_normal(n) * np.exp(-6.9 * np.arange(n) / n) * rng.uniform(0.02, 0.1)
            room[0] = 1
            sound = fftconvolve(sound, room)[:COUNT]
        return sound + 0.003 * coloured(rng, 0.5)

    return one


def babble(rng):
    names = list(LANGUAGES)
    return sum(rng.uniform(0.3, 1) * say(rng, str(rng.choice(names))) for _ in range(int(rng.integers(2, 13))))


def talk_in_noise(rng):
    voice = say(rng, str(rng.choice(list(LANGUAGES))))
    return voice / voice.std() + rng.uniform(0.1, 1.5) * noise(rng)


KINDS = dict(
    noise=noise,
    wind=wind,
    rain=rain,
    drips=drips,
    sea=sea,
    fire=fire,
    hum=hum,
    drone=drone,
    pad=pad,
    applause=applause,
    birds=birds,
    engine=engine,
    typing=typing,
    traffic=traffic,
    clatter=clatter,
    crackle=crackle,
    bustle=bustle,
    chimes=chimes,
    radio=radio,
    quiet=quiet,
    babble=babble,
    **{"talk in noise": talk_in_noise},
    **{f"speech {name}": speech(name) for name in LANGUAGES},
)


# The music of earlier seeds was made without these.
LATER = ("crackle", "bustle")
WITH_MUSIC = tuple(name for name in KINDS if name not in LATER)


def compose(number, rng, kinds=WITH_MUSIC):
    """The name of the kind and 30 s of sound, of any level."""
    # Babble is the hardest for a beat tracker: it comes three times as often as the others.
    names = [*kinds, "babble", "babble"]
    name = names[number % len(names)]
    sound = np.asarray(KINDS[name](rng), float)
    level = rng.uniform(-50, -30) if name == "quiet" else rng.uniform(-25, -1)
    return name, (sound / np.abs(sound).max() * 10 ** (level / 20)).astype(np.float32)
