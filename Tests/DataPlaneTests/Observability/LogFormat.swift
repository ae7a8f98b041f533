import Resources

/// Names the formats without importing `Resources` where its types would hide others.
enum Format: CaseIterable, Sendable {
  case json, common

  var resource: Resources.AccessLog.Format {
    switch self {
    case .json: .json
    case .common: .common
    }
  }
}
