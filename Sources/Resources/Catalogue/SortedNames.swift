/// Names in the order of their UTF-8, in chunks: a change moves one chunk's names at most.
struct SortedNames {
  private static let chunkMax = 512
  /// No chunk is empty.
  private var chunks: [[String]] = []
  private(set) var count = 0

  /// The first that comes after `name`, up to `limit` of them; all from the first where it is nil.
  func page(after name: String?, limit: Int) -> [String] {
    guard limit > 0, !chunks.isEmpty else { return [] }
    var (chunk, index) = (0, 0)
    if let name {
      chunk = place(of: name)
      index = Self.lowerBound(chunks[chunk], name)
      if index < chunks[chunk].count, chunks[chunk][index] == name { index += 1 }
    }
    var page: [String] = []
    while chunk < chunks.count, page.count < limit {
      page += chunks[chunk][index...].prefix(limit - page.count)
      (chunk, index) = (chunk + 1, 0)
    }
    return page
  }

  /// Removes and adds; each removed one is there, each added one is not.
  mutating func change(removing removed: [String], adding added: [String]) {
    // Sorting anew takes less than finding so many places one by one.
    if removed.count + added.count > 1_000, (removed.count + added.count) * 4 > count {
      rebuild(removing: Set(removed), adding: added)
      return
    }
    for name in removed { remove(name) }
    for name in added { insert(name) }
  }

  private mutating func rebuild(removing removed: Set<String>, adding added: [String]) {
    var names = chunks.joined().filter { !removed.contains($0) }
    names += added
    names.sort()
    count = names.count
    // Half full, so that the next ones find room.
    chunks = stride(from: 0, to: names.count, by: Self.chunkMax / 2).map { start in
      Array(names[start..<min(start + Self.chunkMax / 2, names.count)])
    }
  }

  private mutating func insert(_ name: String) {
    count += 1
    guard !chunks.isEmpty else {
      chunks = [[name]]
      return
    }
    let chunk = place(of: name)
    chunks[chunk].insert(name, at: Self.lowerBound(chunks[chunk], name))
    guard chunks[chunk].count > Self.chunkMax else { return }
    let half = chunks[chunk].count / 2
    chunks.insert(Array(chunks[chunk][half...]), at: chunk + 1)
    chunks[chunk] = Array(chunks[chunk][..<half])
  }

  private mutating func remove(_ name: String) {
    guard !chunks.isEmpty else { return }
    let chunk = place(of: name)
    let index = Self.lowerBound(chunks[chunk], name)
    guard index < chunks[chunk].count, chunks[chunk][index] == name else { return }
    count -= 1
    chunks[chunk].remove(at: index)
    if chunks[chunk].isEmpty { chunks.remove(at: chunk) }
  }

  /// The chunk that holds a name, or would: the last that does not begin after it.
  private func place(of name: String) -> Int {
    var (low, high) = (0, chunks.count)
    while high - low > 1 {
      let middle = (low + high) / 2
      if name < chunks[middle][0] { high = middle } else { low = middle }
    }
    return low
  }

  private static func lowerBound(_ names: [String], _ name: String) -> Int {
    var (low, high) = (0, names.count)
    while low < high {
      let middle = (low + high) / 2
      if names[middle] < name { low = middle + 1 } else { high = middle }
    }
    return low
  }

  var all: [String] { Array(chunks.joined()) }
}
