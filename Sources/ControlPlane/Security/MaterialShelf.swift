import Resources
import Runtime

/// What was made of the files that resources name for TLS: the same files for the same purpose are
/// read once, and kept for as long as a resource names them.
struct MaterialShelf {
  private(set) var items: [MaterialKey: MaterialItem] = [:]
  private var users: [MaterialKey: Set<ResourceID>] = [:]

  subscript(key: MaterialKey) -> MaterialValue? { items[key]?.value }

  func users(of key: MaterialKey) -> Set<ResourceID> { users[key] ?? [] }

  /// All files, and how they were when they were read.
  var files: [String: FileSignature?] {
    var files: [String: FileSignature?] = [:]
    for (key, item) in items {
      for (path, signature) in zip(key.paths, item.signatures) { files[path] = .some(signature) }
    }
    return files
  }

  /// What resources hold that cannot be used now.
  var problems: [ResourceProblem] {
    items.values.compactMap(\.problem).sorted { $0.description < $1.description }
  }

  mutating func addUser(_ id: ResourceID, of key: MaterialKey) { users[key, default: []].insert(id) }

  /// - Returns: what was made of the files, where the last user has gone.
  mutating func removeUser(_ id: ResourceID, of key: MaterialKey) -> MaterialItem? {
    users[key]?.remove(id)
    guard users[key]?.isEmpty == true else { return nil }
    users[key] = nil
    return items.removeValue(forKey: key)
  }

  mutating func set(_ item: MaterialItem?, for key: MaterialKey) { items[key] = item }

  // MARK: Reading

  /// Makes of files what they are for; what is there is not read again.
  func make(_ need: MaterialNeed, _ pass: inout FilePass) throws(MaterialProblems) -> MaterialItem {
    let signatures = need.key.paths.map { pass.signature(of: $0) }
    let contents = try contents(need, &pass)
    do throws(MaterialReader.Failure) {
      let value = try MaterialReader.make(need.key, contents)
      return MaterialItem(
        value: value, signatures: signatures, hashes: contents.map { FileContent.hash($0) }, problem: nil)
    } catch {
      throw MaterialProblems([Self.problem(need, error.paths, error.message)])
    }
  }

  /// Looks at the files of a key once more.
  ///
  /// - Parameter readsAll: Reads files also where `stat` says that they are as before.
  /// - Returns: the item as it is now; nil where nothing is to be noted. One whose files cannot be
  ///   used keeps its value, and has a problem.
  func refresh(_ need: MaterialNeed, _ pass: inout FilePass, readsAll: Bool) -> MaterialItem? {
    guard let old = items[need.key] else { return nil }
    let signatures = need.key.paths.map { pass.signature(of: $0) }
    if !readsAll, old.signatures == signatures { return nil }
    var item = old
    item.signatures = signatures
    item.problem = nil
    do throws(MaterialProblems) {
      let contents = try contents(need, &pass)
      let hashes = contents.map { FileContent.hash($0) }
      if hashes == old.hashes { return item }
      item.hashes = hashes
      do throws(MaterialReader.Failure) {
        item.value = try MaterialReader.make(need.key, contents)
      } catch {
        throw MaterialProblems([Self.problem(need, error.paths, error.message)])
      }
    } catch {
      item.hashes = old.hashes
      item.problem = error.problems.first
    }
    return item
  }

  /// The content of all files.
  private func contents(_ need: MaterialNeed, _ pass: inout FilePass) throws(MaterialProblems) -> [[UInt8]] {
    var isShared = false
    if case .trust = need.key { isShared = true }
    var contents: [[UInt8]] = []
    var problems: [ResourceProblem] = []
    for path in need.key.paths {
      switch pass.content(of: path, isShared: isShared) {
      case .success(let content): contents.append(content)
      case .failure(let error):
        problems.append(Self.problem(need, [path], MaterialReader.message(for: error)))
      }
    }
    if !problems.isEmpty { throw MaterialProblems(problems) }
    return contents
  }

  private static func problem(_ need: MaterialNeed, _ paths: [String], _ message: String) -> ResourceProblem {
    ResourceProblem(need.id, field: need.field, paths.joined(separator: ", ") + ": " + message)
  }
}

/// Why files cannot be used; at least one problem.
struct MaterialProblems: Error {
  var problems: [ResourceProblem]
  init(_ problems: [ResourceProblem]) { self.problems = problems }
}
