/// `certificates`.
enum CertificateSchemas {
  static let all: KeyValuePairs<String, JSON> = [
    "Certificate": Schema.object(
      "A certificate with its key, and the hosts that it is shown for.", required: ["certificate"],
      [
        "name": Schema.reference("Name"),
        "certificate": Schema.text(
          "PEM: the certificate, then the intermediate ones; a text that begins with -----BEGIN, or a "
            + "file's path.", maxLength: 262_144),
        "key": [
          "type": "string", "maxLength": 262_144,
          "description":
            .string(
              "PEM: its private key, ECDSA or RSA, without a passphrase; text where certificate is text, "
                + "else a file's path. Needed to make a certificate. A text is never in an answer."),
        ],
        "hosts": Schema.list(
          "Hosts that it is shown for; where this is left out, the names in the certificate. *. is one "
            + "label here.", of: Schema.reference("Host")),
        "ocsp": Schema.file("DER: an OCSP response to staple."),
        "default": Schema.boolean(
          "It is shown for hosts without a certificate, where a listener's unknownHost is default.",
          default: false),
        "listeners": Schema.list(
          "Listeners that show it, by name; where this is left out, all with tls.",
          of: Schema.reference("Name")),
      ])
  ]

  static let example: JSON = [
    "name": "shop", "certificate": "-----BEGIN CERTIFICATE-----\n…", "key": "-----BEGIN PRIVATE KEY-----\n…",
    "hosts": ["shop.example.com"],
  ]
}
