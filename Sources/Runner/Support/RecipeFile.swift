import Adversarial
import Foundation
import Models

/// Recipes as files.
enum RecipeFile {
  /// - Parameter overrides: `path.to.key=value` each.
  /// - Throws: Failure (66) where there is none, RecipeError for what it says.
  static func read(_ path: String, overrides: [String]) throws -> Recipe {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw Failure(.missingInput, "\(path): not found, expected a recipe")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw Failure.badData("\(path): not UTF-8 text, expected a recipe")
    }
    var recipe = try Recipe.parse(text, file: path, overrides: overrides)
    if ImportedNetwork.isFile(recipe.model.name) {
      recipe.model.imported = try NetworkFile.read(recipe.model.name)
    }
    return recipe
  }
}
