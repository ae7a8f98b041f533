import Resources

/// What plugins that turn requests away have in common.
enum RefusalOptions {
  static let status = PluginOption(
    "status", .integer(400...599), default: .integer(403),
    "The status of the answer to those that do not pass.")

  static func status(_ values: OptionValues) -> UInt16 { UInt16(values.integer("status") ?? 403) }

  static func message(_ standard: String) -> PluginOption {
    PluginOption("message", .text("a sentence"), default: .text(standard), "What the answer says.")
  }
}
