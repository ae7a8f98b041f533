import Hummingbird
import Plugins
import Resources

/// `/v1/cache` and `/v1/cache/purge`: what the plugin `cache` has stored.
struct CacheHandlers: Sendable {
  func list(_ call: AdminCall) async throws(Problem) -> Response {
    .json(["zones": .array(CacheZones.figures.map(Self.zone))])
  }

  private static func zone(_ zone: CacheZoneFigures) -> JSON {
    let disk: JSON? = zone.disk.map { disk in
      [
        "folder": .string(disk.folder), "entries": .number(disk.entries), "bytes": .number(disk.bytes),
        "size": .number(disk.limit), "evictions": .number(disk.evictions),
      ]
    }
    return [
      "zone": .string(zone.name), "entries": .number(zone.entries), "bytes": .number(zone.bytes),
      "memory": .number(zone.limit), "evictions": .number(zone.evictions), "disk": disk ?? .null,
    ]
  }

  private struct PurgeBody: Decodable {
    static let keys: Set<String> = ["everything", "url", "prefix", "tag", "zone"]
    var everything: Bool?
    var url: String?
    var prefix: String?
    var tag: String?
    var zone: String?
  }

  func purge(_ call: AdminCall) async throws(Problem) -> Response {
    let body = try await JSONQuestion.read(call, PurgeBody.self, keys: PurgeBody.keys)
    var asked: [CacheZones.Purge] = []
    if body.everything == true { asked.append(.everything) }
    if let url = body.url { asked.append(.url(url)) }
    if let prefix = body.prefix { asked.append(.prefix(prefix)) }
    if let tag = body.tag { asked.append(.tag(tag)) }
    guard asked.count == 1, let what = asked.first else {
      throw Self.problem(nil, "one of everything, url, prefix and tag says what is to be purged")
    }
    // It looks at every entry: not on a thread that others wait for.
    let count = try await RequestContent.computing(.max) { () throws(Problem) in
      guard let count = CacheZones.purge(what, zone: body.zone) else {
        if let zone = body.zone, !CacheZones.figures.contains(where: { $0.name == zone }) {
          throw Self.problem("zone", "there is no zone \"\(zone)\"")
        }
        throw Self.problem(
          body.url == nil ? "prefix" : "url", "a URL has a scheme and a host: https://example.com/a")
      }
      return count
    }
    return .json(["purged": .number(count)])
  }

  private static func problem(_ field: String?, _ message: String) -> Problem {
    let error = ResourceProblem(nil, field: field ?? "", message)
    return Problem(.invalidQuestion, error.description, errors: [error])
  }
}
