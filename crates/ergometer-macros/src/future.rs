//! Functions that return a future: the span covers the future's run, not its creation.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{Block, Expr, ExprAsync, ExprClosure, ExprReturn, Item, Stmt};

use crate::guard::Opening;
use crate::tokens::{prepend, verbatim};

/// Puts every future that a body returns into a span.
pub(crate) struct Returns<'a> {
    pub(crate) opening: &'a Opening,
    /// See [`return_edge`](crate::expand::return_edge).
    pub(crate) return_edge: TokenStream,
    /// Whether the function returns a pinned box instead of the future itself.
    pub(crate) boxed: bool,
}

impl Returns<'_> {
    pub(crate) fn rewrite(&mut self, body: &mut Block) {
        self.visit_block_mut(body);
        self.tail(body);
    }

    fn tail(&self, block: &mut Block) {
        if let Some(Stmt::Expr(tail, None)) = block.stmts.last_mut() {
            self.returned(tail);
        }
    }

    fn returned(&self, expr: &mut Expr) {
        if self.boxed { self.unbox(expr) } else { self.meter(expr) }
    }

    fn meter(&self, future: &mut Expr) {
        match future {
            // The `return` inside has been handled on the way down.
            Expr::Return(_) => return,
            Expr::Async(future) => {
                prepend(vec![verbatim(self.return_edge.clone())], &mut future.block);
            }
            _ => {}
        }
        *future = self.opening.metered(future);
    }

    /// Looks inside `Box::pin(..)` and `.boxed()`, so that the future is not boxed twice.
    fn unbox(&self, expr: &mut Expr) {
        match expr {
            Expr::Call(call) if call.args.len() == 1 && is_pin(&call.func) => {
                call.args.iter_mut().for_each(|future| self.meter(future));
            }
            Expr::MethodCall(call)
                if call.args.is_empty()
                    && (call.method == "boxed" || call.method == "boxed_local") =>
            {
                self.meter(&mut call.receiver);
            }
            Expr::Block(block) => self.tail(&mut block.block),
            Expr::Unsafe(block) => self.tail(&mut block.block),
            Expr::If(choice) => {
                self.tail(&mut choice.then_branch);
                if let Some((_, otherwise)) = &mut choice.else_branch {
                    self.unbox(otherwise);
                }
            }
            Expr::Match(choice) => {
                choice.arms.iter_mut().for_each(|arm| self.unbox(&mut arm.body));
            }
            // `todo!()` and similar macros return no future.
            Expr::Macro(_) | Expr::Return(_) | Expr::Loop(_) => {}
            _ => {
                let future = self.opening.metered(expr);
                let span = Span::mixed_site();
                *expr = Expr::Verbatim(quote_spanned!(span=> ::std::boxed::Box::pin(#future)));
            }
        }
    }
}

fn is_pin(function: &Expr) -> bool {
    matches!(function, Expr::Path(path)
        if path.path.segments.last().is_some_and(|last| last.ident == "pin"))
}

/// Visits each `return` of the function itself, but not those of functions inside it.
impl VisitMut for Returns<'_> {
    fn visit_expr_return_mut(&mut self, node: &mut ExprReturn) {
        visit_mut::visit_expr_return_mut(self, node);
        if let Some(future) = &mut node.expr {
            self.returned(future);
        }
    }

    fn visit_expr_async_mut(&mut self, _: &mut ExprAsync) {}

    fn visit_expr_closure_mut(&mut self, _: &mut ExprClosure) {}

    fn visit_item_mut(&mut self, _: &mut Item) {}
}
