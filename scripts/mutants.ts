/** The small mistakes that a tired programmer could make in a TypeScript source, each as an edit of its text. */
import ts from "typescript";

export interface Mutant {
  start: number;
  end: number;
  replacement: string;
  line: number;
}

const { SyntaxKind: Kind } = ts;

/** Comparisons move by one or are turned round, calculations and logic are swapped. */
const OPERATORS: Partial<Record<ts.SyntaxKind, string[]>> = {
  [Kind.LessThanToken]: ["<=", ">="],
  [Kind.LessThanEqualsToken]: ["<", ">"],
  [Kind.GreaterThanToken]: [">=", "<="],
  [Kind.GreaterThanEqualsToken]: [">", "<"],
  [Kind.EqualsEqualsEqualsToken]: ["!=="],
  [Kind.ExclamationEqualsEqualsToken]: ["==="],
  [Kind.PlusToken]: ["-"],
  [Kind.MinusToken]: ["+"],
  [Kind.AsteriskToken]: ["/"],
  [Kind.SlashToken]: ["*"],
  [Kind.PercentToken]: ["*"],
  [Kind.AsteriskAsteriskToken]: ["*"],
  [Kind.LessThanLessThanToken]: [">>"],
  [Kind.GreaterThanGreaterThanToken]: ["<<"],
  [Kind.AmpersandToken]: ["|"],
  [Kind.BarToken]: ["&"],
  [Kind.PlusEqualsToken]: ["-="],
  [Kind.MinusEqualsToken]: ["+="],
  [Kind.AmpersandAmpersandToken]: ["||"],
  [Kind.BarBarToken]: ["&&"],
  [Kind.QuestionQuestionToken]: ["&&"],
};

const METHODS: Record<string, string> = {
  min: "max",
  max: "min",
  floor: "ceil",
  ceil: "floor",
  some: "every",
  every: "some",
};

export function mutantsOf(file: string, text: string): Mutant[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const mutants: Mutant[] = [];

  const add = (start: number, end: number, replacement: string) => {
    const line = source.getLineAndCharacterOfPosition(start).line + 1;
    mutants.push({ start, end, replacement, line });
  };
  const replace = (node: ts.Node, ...replacements: string[]) => {
    for (const replacement of replacements) add(node.getStart(), node.end, replacement);
  };

  const visit = (node: ts.Node): void => {
    if (isErased(node)) return;
    if (ts.isBinaryExpression(node)) binary(node);
    else if (ts.isPrefixUnaryExpression(node)) prefix(node);
    else if (ts.isPostfixUnaryExpression(node))
      add(node.operand.end, node.end, node.operator === Kind.PlusPlusToken ? "--" : "++");
    else if (ts.isNumericLiteral(node)) replace(node, ...neighbours(Number(node.text)));
    else if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) string(node);
    else if (ts.isTemplateExpression(node) && !isProse(node.getText())) replace(node, "``");
    else if (node.kind === Kind.TrueKeyword) replace(node, "false");
    else if (node.kind === Kind.FalseKeyword) replace(node, "true");
    else if (ts.isRegularExpressionLiteral(node)) regex(node);
    else if (ts.isConditionalExpression(node)) replace(node.condition, "true", "false");
    else if (ts.isIfStatement(node)) condition(node);
    else if (ts.isWhileStatement(node)) replace(node.expression, "false");
    else if (ts.isReturnStatement(node) && node.expression) replace(node, "return;");
    else if (ts.isExpressionStatement(node)) replace(node, ";");
    else if (ts.isPropertyAccessExpression(node)) {
      const other = Object.hasOwn(METHODS, node.name.text) && METHODS[node.name.text];
      if (other) replace(node.name, other);
    }
    ts.forEachChild(node, visit);
  };

  function binary({ left, operatorToken, right }: ts.BinaryExpression) {
    // A minus between texts tells nothing about the tests.
    if (operatorToken.kind === Kind.PlusToken && (isText(left) || isText(right))) return;
    replace(operatorToken, ...(OPERATORS[operatorToken.kind] ?? []));
  }

  function prefix(node: ts.PrefixUnaryExpression) {
    if (node.operator === Kind.ExclamationToken || node.operator === Kind.MinusToken)
      add(node.getStart(), node.operand.getStart(), "");
    else if (node.operator === Kind.PlusPlusToken) add(node.getStart(), node.getStart() + 2, "--");
    else if (node.operator === Kind.MinusMinusToken)
      add(node.getStart(), node.getStart() + 2, "++");
  }

  function string(node: ts.StringLiteral | ts.NoSubstitutionTemplateLiteral) {
    const isKey = ts.isPropertyAssignment(node.parent) && node.parent.name === node;
    if (node.text !== "" && !isKey && !isProse(node.text)) replace(node, '""');
  }

  function regex(node: ts.RegularExpressionLiteral) {
    const [, body = "", flags = ""] = /^\/(.*)\/([a-z]*)$/s.exec(node.text) ?? [];
    for (const flag of flags) replace(node, `/${body}/${flags.replace(flag, "")}`);
    if (body.startsWith("^")) replace(node, `/${body.slice(1)}/${flags}`);
    if (/[^\\]\$$/.test(body)) replace(node, `/${body.slice(0, -1)}/${flags}`);
  }

  function condition(node: ts.IfStatement) {
    replace(node.expression, "true", "false");
  }

  visit(source);
  return mutants;
}

/** What does not exist at run time, and what only says where a name comes from. */
const isErased = (node: ts.Node) =>
  ts.isTypeNode(node) ||
  ts.isInterfaceDeclaration(node) ||
  ts.isTypeAliasDeclaration(node) ||
  ts.isImportDeclaration(node) ||
  ts.isExportDeclaration(node);

const isText = (node: ts.Expression) =>
  ts.isStringLiteralLike(node) || ts.isTemplateExpression(node);

/** Words for people, whose wording no test should fix. */
const isProse = (text: string) => /\p{L}[,:]? \p{L}/u.test(text) && !text.includes("<");

const neighbours = (value: number) =>
  Number.isInteger(value) ? [`${value + 1}`, `(${value - 1})`] : [`${value * 1.1}`];
