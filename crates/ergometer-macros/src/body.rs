//! Rewrites the attributes inside a function's body into guards.
//!
//! A guard is a local variable, never a closure around the user's code. So `?`, `return`, `break` and
//! `continue` keep their meaning, and leaving the scope in any way closes the span.

use std::mem;

use proc_macro2::Span;
use quote::quote_spanned;
use syn::token::Brace;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Arm, Attribute, Block, Error, Expr, ExprAssign, ExprBinary, ExprBlock, ExprCast, ExprIf,
    ImplItemFn, Item, ItemFn, Local, Macro, Stmt, TraitItemFn,
};

use crate::find::{self, Mark};
use crate::guard::{Around, Guard, Lasts, What};
use crate::misuse;
use crate::options::{EVERY_OF_A_LOOP, Kind};
use crate::set_aside::Aside;
use crate::strip;
use crate::tokens::{prepend, verbatim};

/// Rewrites a body; [`Rewriter::finish`] returns the errors of its attributes.
pub(crate) struct Rewriter {
    around: Around,
    aside: Aside,
    guards: usize,
    error: Option<Error>,
}

impl Rewriter {
    /// A rewriter for a body from which these statements were set aside.
    pub(crate) fn new(around: Around, aside: Aside) -> Self {
        Self { around, aside, guards: 0, error: None }
    }

    /// Whether all statements that were set aside have been put back.
    pub(crate) fn is_complete(&self) -> bool {
        self.aside.is_empty()
    }

    pub(crate) fn finish(self) -> Option<Error> {
        self.error
    }

    fn report(&mut self, error: Error) {
        match &mut self.error {
            Some(first) => first.combine(error),
            None => self.error = Some(error),
        }
    }

    fn report_all(&mut self, errors: impl IntoIterator<Item = Error>) {
        errors.into_iter().for_each(|error| self.report(error));
    }

    fn take(&mut self, attributes: &mut Vec<Attribute>) -> Vec<Mark> {
        find::take(attributes, &mut |error| self.report(error))
    }

    /// A guard that lasts to the end of the block in which it is opened.
    fn open(&mut self, mark: &Mark) -> Stmt {
        verbatim(self.guard(mark, Lasts::Block).open)
    }

    fn guard(&mut self, mark: &Mark, lasts: Lasts) -> Guard {
        if let Some(every) = &mark.args.every {
            self.report(Error::new(every.option, EVERY_OF_A_LOOP));
        }
        self.guards += 1;
        self.around.guard(&mark.args, What::Statement(self.guards), &mark.conditions, lasts)
    }

    /// The guard of an iteration; the statement that counts iterations is added to `before`.
    fn iteration(&mut self, mark: &Mark, before: &mut Vec<Stmt>) -> Stmt {
        let Some(every) =
            self.around.every(&mark.args, What::Statement(self.guards + 1), &mark.conditions)
        else {
            return self.open(mark);
        };
        before.push(verbatim(every));
        self.guards += 1;
        let what = What::Statement(self.guards);
        verbatim(self.around.guard(&mark.args, what, &mark.conditions, Lasts::Iteration).open)
    }

    /// Rewrites one statement of a block, into several if necessary.
    fn statement(&mut self, mut statement: Stmt, is_last: bool, out: &mut Vec<Stmt>) {
        if let Some(statements) = self.aside.take(&statement) {
            return out.push(verbatim(statements));
        }
        match &mut statement {
            Stmt::Local(local) => {
                let marks = self.take(&mut local.attrs);
                self.visit_local_mut(local);
                if let Some(init) = &local.init {
                    self.report_all(misuse::hidden_loop(&init.expr, &marks));
                }
                if let Some(error) = uninitialised(local, &marks) {
                    self.report(error);
                    out.push(statement);
                } else {
                    self.enclose(&marks, statement, is_last, out);
                }
            }
            Stmt::Macro(call) => {
                let marks = self.take(&mut call.attrs);
                self.visit_macro_mut(&mut call.mac);
                self.enclose(&marks, statement, is_last, out);
            }
            // Creating the future costs nothing; it is measured where it runs.
            Stmt::Expr(expr @ Expr::Async(_), _) => {
                self.visit_expr_mut(expr);
                out.push(statement);
            }
            Stmt::Expr(expr, semi) => {
                ungroup(expr);
                let mut marks = match statement_attributes(expr) {
                    Some(attributes) => self.take(attributes),
                    None => Vec::new(),
                };
                self.report_all(misuse::hidden_loop(expr, &marks));
                self.visit_expr_mut(expr);
                let before = self.bodies(expr, &mut marks);
                if is_last {
                    out.extend(marks.iter().map(|mark| self.open(mark)));
                    out.extend(before);
                } else if !marks.is_empty() || !before.is_empty() {
                    statement = Stmt::Expr(self.wrap(&marks, before, expr, semi.take()), None);
                }
                out.push(statement);
            }
            Stmt::Item(_) => {
                self.visit_stmt_mut(&mut statement);
                out.push(statement);
            }
        }
    }

    /// Opens the spans before the statement and closes them after it in the same block, so that the
    /// statement's bindings and extended temporaries live on.
    fn enclose(&mut self, marks: &[Mark], statement: Stmt, is_last: bool, out: &mut Vec<Stmt>) {
        if is_last {
            // The end of the block closes the spans; nothing may follow a `panic!()`.
            out.extend(marks.iter().map(|mark| self.open(mark)));
            return out.push(statement);
        }
        let guards: Vec<Guard> = marks.iter().map(|mark| self.guard(mark, Lasts::ByHand)).collect();
        let (opens, closes): (Vec<_>, Vec<_>) =
            guards.into_iter().map(|guard| (guard.open, guard.close)).unzip();
        out.extend(opens.into_iter().map(verbatim));
        out.push(statement);
        out.extend(closes.into_iter().rev().map(verbatim));
    }

    /// Wraps the expression in a block that begins with `before` and the guards.
    fn wrap(
        &mut self,
        marks: &[Mark],
        before: Vec<Stmt>,
        expr: &mut Expr,
        semi: Option<syn::token::Semi>,
    ) -> Expr {
        let (attrs, inner) = match statement_attributes(expr) {
            Some(attributes) => mem::take(attributes).into_iter().partition(is_outer),
            None => (Vec::new(), Vec::new()),
        };
        if let Some(attributes) = statement_attributes(expr) {
            *attributes = inner;
        }
        let mut stmts: Vec<Stmt> = marks.iter().map(|mark| self.open(mark)).collect();
        stmts.extend(before);
        stmts.push(Stmt::Expr(mem::replace(expr, Expr::PLACEHOLDER), semi));
        Expr::Block(ExprBlock {
            attrs,
            label: None,
            block: Block { brace_token: Brace(Span::mixed_site()), stmts },
        })
    }

    /// Moves marks into the blocks of the expression where they belong. Returns the statements that have to
    /// precede the expression.
    ///
    /// * On a loop, marks of a kind that makes each iteration a span go to its body.
    /// * On an `if` without `else`, all go to its branch, so that a false condition makes no span.
    /// * On a plain block, all go to its beginning; a second pair of braces would trigger a lint.
    fn bodies(&mut self, expr: &mut Expr, marks: &mut Vec<Mark>) -> Vec<Stmt> {
        let mut before = Vec::new();
        let body = match expr {
            Expr::ForLoop(each) => &mut each.body,
            Expr::While(each) => &mut each.body,
            Expr::Loop(each) => &mut each.body,
            Expr::If(choice) if !has_else(choice) => {
                let marks = mem::take(marks);
                if !marks.is_empty() {
                    self.branches(&marks, choice);
                }
                return before;
            }
            Expr::Block(block) => {
                let marks = mem::take(marks);
                if !marks.is_empty() {
                    prepend(marks.iter().map(|mark| self.open(mark)).collect(), &mut block.block);
                }
                return before;
            }
            _ => return before,
        };
        let (each, whole): (Vec<Mark>, Vec<Mark>) = mem::take(marks)
            .into_iter()
            .partition(|mark| mark.args.kind.is_some_and(Kind::is_iteration));
        *marks = whole;
        self.report_all(misuse::iteration_twice(&each));
        if !each.is_empty() {
            let opens = each.iter().map(|mark| self.iteration(mark, &mut before)).collect();
            prepend(opens, body);
        }
        before
    }

    fn branches(&mut self, marks: &[Mark], choice: &mut ExprIf) {
        prepend(marks.iter().map(|mark| self.open(mark)).collect(), &mut choice.then_branch);
        if let Some((_, otherwise)) = &mut choice.else_branch
            && let Expr::If(choice) = &mut **otherwise
        {
            self.branches(marks, choice);
        }
    }

    /// Opens the spans within an `async` block, so that they begin when it first runs.
    fn future(&mut self, marks: &[Mark], expr: &mut Expr) {
        let library = marks.first().map(|mark| self.around.library(&mark.args).clone());
        let Expr::Async(future) = &mut *expr else { return };
        let opens = marks.iter().map(|mark| self.open(mark)).collect();
        prepend(opens, &mut future.block);
        let library = library.unwrap_or_else(|| self.around.library.clone());
        let site = Span::mixed_site();
        *expr = Expr::Verbatim(quote_spanned!(site=> #library::private::scoped(#expr)));
    }
}

impl VisitMut for Rewriter {
    fn visit_block_mut(&mut self, block: &mut Block) {
        let statements = mem::take(&mut block.stmts);
        let last = statements.len();
        for (index, statement) in statements.into_iter().enumerate() {
            self.statement(statement, index + 1 == last, &mut block.stmts);
        }
    }

    /// Handles the attribute inside an expression; on statements it has been removed already.
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        ungroup(expr);
        let mut marks = match own_attributes(expr) {
            Some(attributes) => self.take(attributes),
            None => Vec::new(),
        };
        visit_mut::visit_expr_mut(self, expr);
        let before = self.bodies(expr, &mut marks);
        match expr {
            _ if marks.is_empty() && before.is_empty() => {}
            Expr::Async(_) => self.future(&marks, expr),
            Expr::Block(_)
            | Expr::ForLoop(_)
            | Expr::If(_)
            | Expr::Loop(_)
            | Expr::Match(_)
            | Expr::Unsafe(_)
            | Expr::While(_) => *expr = self.wrap(&marks, before, expr, None),
            _ => {
                for mark in marks {
                    self.report(Error::new(
                        mark.span,
                        "`#[track_energy]` in the middle of an expression goes on loops, blocks, \
                         `match`, `if` and `async`; put it on the whole statement",
                    ));
                }
            }
        }
    }

    fn visit_arm_mut(&mut self, arm: &mut Arm) {
        for mark in self.take(&mut arm.attrs) {
            self.report(Error::new(
                mark.span,
                "`#[track_energy]` is not allowed on an arm of a `match`; put it on the arm's value: \
                 `pattern => #[track_energy(..)] { .. }`",
            ));
        }
        visit_mut::visit_arm_mut(self, arm);
    }

    fn visit_macro_mut(&mut self, call: &mut Macro) {
        let errors = misuse::inside_a_macro(call);
        if !errors.is_empty() {
            // This must be the only message about the call.
            call.tokens = strip::strip(mem::take(&mut call.tokens));
            self.report_all(errors);
        }
    }

    /// Items inside cannot use the variables of the enclosing function.
    fn visit_item_mut(&mut self, item: &mut Item) {
        // The output of a `macro_rules!` is visited where it is used.
        if matches!(item, Item::Macro(item) if item.ident.is_some()) {
            return;
        }
        let meter = self.around.meter.take();
        visit_mut::visit_item_mut(self, item);
        self.around.meter = meter;
    }

    fn visit_item_fn_mut(&mut self, function: &mut ItemFn) {
        if !find::is_on(&function.attrs) {
            visit_mut::visit_item_fn_mut(self, function);
        }
    }

    fn visit_impl_item_fn_mut(&mut self, function: &mut ImplItemFn) {
        if !find::is_on(&function.attrs) {
            visit_mut::visit_impl_item_fn_mut(self, function);
        }
    }

    fn visit_trait_item_fn_mut(&mut self, function: &mut TraitItemFn) {
        if !find::is_on(&function.attrs) {
            visit_mut::visit_trait_item_fn_mut(self, function);
        }
    }
}

fn uninitialised(local: &Local, marks: &[Mark]) -> Option<Error> {
    let mark = marks.first().filter(|_| local.init.is_none())?;
    Some(Error::new(
        mark.span,
        "`#[track_energy]` on a `let` without a value has nothing to measure; \
         put it where the variable is assigned",
    ))
}

fn has_else(choice: &ExprIf) -> bool {
    match &choice.else_branch {
        None => false,
        Some((_, otherwise)) => match &**otherwise {
            Expr::If(choice) => has_else(choice),
            _ => true,
        },
    }
}

/// Removes the invisible group around an annotated expression that a `macro_rules!` passed on
/// (`$body:block`).
fn ungroup(expr: &mut Expr) {
    while let Expr::Group(group) = expr
        && find::is_on(&group.attrs)
        && own_attributes(&mut group.expr).is_some()
    {
        let attributes = mem::take(&mut group.attrs);
        *expr = mem::replace(&mut *group.expr, Expr::PLACEHOLDER);
        if let Some(inner) = own_attributes(expr) {
            inner.splice(0..0, attributes);
        }
    }
}

fn is_outer(attribute: &Attribute) -> bool {
    matches!(attribute.style, syn::AttrStyle::Outer)
}

/// The attributes of an expression statement, which the grammar assigns to its leftmost operand.
fn statement_attributes(expr: &mut Expr) -> Option<&mut Vec<Attribute>> {
    match expr {
        Expr::Assign(ExprAssign { left: operand, .. })
        | Expr::Binary(ExprBinary { left: operand, .. })
        | Expr::Cast(ExprCast { expr: operand, .. }) => statement_attributes(operand),
        other => own_attributes(other),
    }
}

macro_rules! attributes_of {
    ($expr:expr; $($kind:ident)*) => {
        match $expr {
            $(Expr::$kind(inner) => Some(&mut inner.attrs),)*
            _ => None,
        }
    };
}

fn own_attributes(expr: &mut Expr) -> Option<&mut Vec<Attribute>> {
    attributes_of!(expr;
        Array Async Await Block Break Call Closure Const Continue Field ForLoop Group If Index Lit Loop
        Macro Match MethodCall Paren Path Range RawAddr Reference Repeat Return Struct Try Tuple
        Unary Unsafe While
    )
}
