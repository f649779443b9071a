// The things a prompt can ask for, and the words people use for them.

/// Something the renderer can paint.
enum Element: String, CaseIterable, Sendable {
    // Hours
    case dawn, day, sunset, night
    // Sky
    case milkyWay = "milky way"
    case sun, moon, stars, aurora, clouds, clear, planet, rainbow, birds
    // Weather and season
    case storm, lightning, rain, snow, fog, winter, autumn, spring
    // Ground
    case mountains, hills, forest, meadow, flowers, desert, beach, island, palms
    // Water
    case sea, lake, river
    // What people built
    case city, futuristic, boat, lighthouse

    /// Words of two, looked for before single words.
    static let pairs: [String: [Element]] = [
        "milky way": [.milkyWay, .night], "shooting star": [.stars, .night],
        "northern light": [.aurora, .night],
        "polar light": [.aurora, .night],
        "golden hour": [.sunset], "blue hour": [.night], "full moon": [.moon],
        "crescent moon": [.moon], "light house": [.lighthouse], "sail boat": [.boat],
        "sci fi": [.futuristic], "blue sky": [.day, .clear], "clear sky": [.clear],
        "starry night": [.night, .stars], "cherry blossom": [.spring], "palm tree": [.palms],
        "fall color": [.autumn], "fall colour": [.autumn], "fall leave": [.autumn],
    ]

    /// Single words, in the singular.
    static let words: [String: [Element]] = [
        "dawn": [.dawn], "sunrise": [.dawn], "daybreak": [.dawn], "morning": [.dawn],
        "day": [.day], "noon": [.day], "midday": [.day], "daytime": [.day], "sunny": [.day, .sun],
        "afternoon": [.day], "summer": [.day],
        "sunset": [.sunset], "dusk": [.sunset], "evening": [.sunset], "sundown": [.sunset],
        "twilight": [.sunset],
        "night": [.night], "midnight": [.night], "nocturnal": [.night], "nighttime": [.night],
        "nightfall": [.night],
        "sun": [.sun], "moon": [.moon, .night], "moonlit": [.moon, .night], "moonlight": [.moon, .night],
        "star": [.stars, .night], "starry": [.stars, .night], "starlight": [.stars, .night],
        "constellation": [.stars, .night], "galaxy": [.milkyWay, .night], "nebula": [.milkyWay, .night],
        "cosmic": [.milkyWay, .night], "space": [.milkyWay, .planet, .night],
        "aurora": [.aurora, .night], "borealis": [.aurora, .night],
        "cloud": [.clouds], "cloudy": [.clouds], "overcast": [.clouds, .fog], "cumulus": [.clouds],
        "clear": [.clear], "cloudless": [.clear],
        "planet": [.planet], "alien": [.planet, .futuristic], "saturn": [.planet], "rainbow": [.rainbow],
        "bird": [.birds], "gull": [.birds], "seagull": [.birds], "goose": [.birds], "geese": [.birds],
        "crane": [.birds], "swallow": [.birds], "flock": [.birds], "crow": [.birds],
        "storm": [.storm], "stormy": [.storm], "thunderstorm": [.storm, .lightning],
        "tempest": [.storm], "thunder": [.storm, .lightning], "lightning": [.storm, .lightning],
        "rain": [.rain], "rainy": [.rain], "drizzle": [.rain], "raining": [.rain], "downpour": [.rain],
        "snow": [.snow, .winter], "snowy": [.winter], "snowfall": [.snow, .winter],
        "snowing": [.snow, .winter], "blizzard": [.snow, .winter, .storm], "winter": [.winter],
        "frozen": [.winter], "arctic": [.winter], "ice": [.winter], "icy": [.winter],
        "frost": [.winter], "alpine": [.mountains, .winter], "snowcapped": [.winter, .mountains],
        "fog": [.fog], "foggy": [.fog], "mist": [.fog], "misty": [.fog], "haze": [.fog], "hazy": [.fog],
        "autumn": [.autumn], "autumnal": [.autumn], "october": [.autumn],
        "spring": [.spring], "sakura": [.spring], "blossom": [.spring, .flowers],
        "mountain": [.mountains], "peak": [.mountains], "alp": [.mountains], "summit": [.mountains],
        "ridge": [.mountains], "himalaya": [.mountains], "cliff": [.mountains], "canyon": [.mountains],
        "volcano": [.mountains], "mountainous": [.mountains],
        "hill": [.hills], "valley": [.hills], "hilly": [.hills], "highland": [.hills, .mountains],
        "countryside": [.hills, .meadow], "landscape": [.hills],
        "forest": [.forest], "wood": [.forest], "woodland": [.forest], "tree": [.forest],
        "pine": [.forest], "fir": [.forest], "spruce": [.forest], "jungle": [.forest], "taiga": [.forest],
        "meadow": [.meadow], "field": [.meadow], "grass": [.meadow], "grassland": [.meadow],
        "prairie": [.meadow], "savanna": [.meadow], "pasture": [.meadow],
        "flower": [.flowers, .meadow], "poppy": [.flowers, .meadow], "tulip": [.flowers, .meadow],
        "lavender": [.flowers, .meadow], "wildflower": [.flowers, .meadow],
        "desert": [.desert], "dune": [.desert], "sahara": [.desert], "sandy": [.desert],
        "mars": [.desert, .planet], "martian": [.desert, .planet],
        "beach": [.beach, .sea], "shore": [.beach, .sea], "coast": [.beach, .sea],
        "seaside": [.beach, .sea], "tropical": [.palms, .beach, .sea], "palm": [.palms],
        "paradise": [.palms, .beach, .sea], "island": [.island, .sea], "archipelago": [.island, .sea],
        "sea": [.sea], "ocean": [.sea], "seascape": [.sea], "wave": [.sea], "bay": [.sea],
        "harbor": [.sea, .boat], "harbour": [.sea, .boat], "fjord": [.lake, .mountains],
        "lake": [.lake], "pond": [.lake], "lagoon": [.lake], "water": [.lake], "reflection": [.lake],
        "river": [.river], "stream": [.river], "creek": [.river], "riverside": [.river],
        "city": [.city], "town": [.city], "skyline": [.city], "cityscape": [.city],
        "skyscraper": [.city], "downtown": [.city], "metropolis": [.city], "urban": [.city],
        "building": [.city], "tokyo": [.city, .night], "manhattan": [.city],
        "futuristic": [.futuristic], "future": [.futuristic], "scifi": [.futuristic],
        "cyberpunk": [.city, .futuristic, .night], "utopia": [.city, .futuristic],
        "boat": [.boat], "ship": [.boat], "sailboat": [.boat], "yacht": [.boat], "sailing": [.boat],
        "sail": [.boat], "lighthouse": [.lighthouse], "beacon": [.lighthouse],
    ]
}
