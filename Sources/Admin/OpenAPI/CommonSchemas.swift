/// Values that several resources have.
enum CommonSchemas {
  static let all: KeyValuePairs<String, JSON> = [
    "Name": [
      "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$", "maxLength": 253,
      "description": "Unique among its kind, over all sources.", "examples": ["shop"],
    ],
    "Duration": [
      "type": "string", "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$", "minLength": 2,
      "description": "Whole numbers with d, h, m, s or ms, from the largest unit to the smallest.",
      "examples": ["500ms", "2s", "1m30s"],
    ],
    "Size": [
      "type": ["string", "integer"], "minimum": 0,
      "pattern": "^[0-9]+([Bb]|[KkMmGgTt]([Ii])?[Bb])?$",
      "description": "Bytes, or a whole number with KiB, MiB, GiB, TiB, kB, MB, GB or TB.",
      "examples": ["16KiB", 8192],
    ],
    "Percentage": [
      "type": "string", "pattern": "^[0-9]{1,3}%$", "description": "From 0% to 100%.", "examples": ["20%"],
    ],
    "File": [
      "type": "string", "minLength": 1,
      "description":
        "A path. A relative one begins at the folder of the configuration file.",
      "examples": ["/etc/penstock/tls/shop.pem"],
    ],
    "Host": [
      "type": "string", "minLength": 1, "maxLength": 255,
      "description": "A name, or *. and a name. Lower case, without port.",
      "examples": ["shop.example.com", "*.example.com"],
    ],
    "Address": [
      "type": "string", "minLength": 1, "description": "A host or an IP address, and a port.",
      "examples": ["10.0.0.1:8080", "[::1]:80", "orders.internal:80"],
    ],
    "RegularExpression": [
      "type": "string", "minLength": 1, "maxLength": 4_096,
      "description": "RE2, matched against the whole text.",
      "examples": ["/orders/[0-9]+"],
    ],
    "Redirect": Schema.object(
      "Requests that come without TLS are sent to https.",
      [
        "to": Schema.choice("The scheme.", ["https"], default: "https"),
        "port": Schema.integer("Of the URL; 443 is left out of it.", 1...65_535, default: 443),
        "status": [
          "type": "integer", "enum": [301, 302, 303, 307, 308], "default": 308,
          "description": "308 is permanent and keeps the method.",
        ],
      ]),
    "RedirectSetting": Schema.any(
      "https is all of the defaults.",
      [Schema.word("https"), Schema.word("off"), Schema.reference("Redirect")]),
    "HSTS": Schema.object(
      "Strict-Transport-Security (RFC 6797), on responses that go by TLS.",
      [
        "maxAge": Schema.duration(
          "How long browsers use https only, in whole seconds; 0s makes them forget.", default: "365d"),
        "includeSubdomains": Schema.boolean("For all names under the host too.", default: false),
        "preload": Schema.boolean(
          "Consent to the lists that browsers ship. Needs includeSubdomains and at least 365d.",
          default: false),
      ]),
    "HSTSSetting": Schema.any(
      "A duration is the same as maxAge alone.",
      [Schema.word("off"), Schema.reference("Duration"), Schema.reference("HSTS")]),
  ]
}
