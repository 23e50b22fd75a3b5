"""Functions of one element at a time.  Broadcasting is NumPy's; the sweep undoes it.

At kinks and ties the derivative is PyTorch's: relu, abs and sign are flat at 0; `maximum` and `minimum` give each
of two equal arguments half; clip passes the gradient at its bounds; leaky_relu takes the slope of the left at 0.
"""

import numpy as np

# ---- arithmetic ----------------------------------------------------------------------


def add(x, y):
    return x + y


def add_vjp(g, out, x, y):
    return g, g


def sub(x, y):
    return x - y


def sub_vjp(g, out, x, y):
    return g, -g


def mul(x, y):
    return x * y


def mul_vjp(g, out, x, y):
    return g * y, g * x


def div(x, y):
    return x / y


def div_vjp(g, out, x, y):
    gx = g / y
    return gx, -gx * out


def neg(x):
    return -x


def neg_vjp(g, out, x):
    return (-g,)


def pow(x, *, exponent):
    return x**exponent


def pow_vjp(g, out, x, *, exponent):
    if exponent == 0:
        return (g * 0,)  # also at x = 0, where 0 · 0⁻¹ would be NaN
    return (g * (exponent * x ** (exponent - 1)),)


def power(x, y):
    return x**y


def power_vjp(g, out, x, y):
    gx = g * y * x ** np.where((x == 0) & (y == 0), 1, y - 1)  # 0⁰ is flat in x
    with np.errstate(invalid="ignore"):  # NaN where x is negative
        gy = g * np.where(x == 0, 0, out * np.log(np.where(x == 0, 1, x)))  # 0^y does not change with y > 0
    return gx, gy


# ---- exponentials --------------------------------------------------------------------


def exp(x):
    return np.exp(x)


def exp_vjp(g, out, x):
    return (g * out,)


def log(x):
    return np.log(x)


def log_vjp(g, out, x):
    return (g / x,)


def log1p(x):
    return np.log1p(x)


def log1p_vjp(g, out, x):
    return (g / (1 + x),)


def expm1(x):
    return np.expm1(x)


def expm1_vjp(g, out, x):
    return (g * (out + 1),)


def sqrt(x):
    return np.sqrt(x)


def sqrt_vjp(g, out, x):
    return (g / (2 * out),)


def sin(x):
    return np.sin(x)


def sin_vjp(g, out, x):
    return (g * np.cos(x),)


def cos(x):
    return np.cos(x)


def cos_vjp(g, out, x):
    return (-g * np.sin(x),)


def clip_gradient(x, *, max_norm):
    """x itself; what goes back through it is never longer than max_norm."""
    return x


def clip_gradient_vjp(g, out, x, *, max_norm):
    length = np.sqrt(np.sum(g * g))
    return (g * (max_norm / np.maximum(length, max_norm)),) if max_norm < np.inf else (g,)


# ---- activations ---------------------------------------------------------------------


def tanh(x):
    return np.tanh(x)


def tanh_vjp(g, out, x):
    d = g * out
    d *= out
    return (g - d,)  # g (1 - out²): never more than g, which is what makes gradients vanish


ONE = {code: np.array(1, code) for code in "efdgFDG"}  # arrays, since they enter faster than numbers


def sigmoid(x):
    e = np.asarray(np.negative(x))
    if e.dtype.kind not in "fc":
        e = e.astype(float)
    with np.errstate(over="ignore"):  # e^-x = inf is right: σ is 0 there
        np.exp(e, e)
    np.add(e, ONE[e.dtype.char], e)
    return np.reciprocal(e, e)


def sigmoid_vjp(g, out, x):
    d = g * out
    d -= d * out
    return (d,)  # g out (1 - out): at most a quarter of g


def sigma(x):
    """The sigmoid inside of other rules: one op where they are recorded, whose own rule is finite everywhere."""
    return x.sigmoid() if hasattr(x, "sigmoid") else sigmoid(x)


def relu(x):
    return np.maximum(x, 0)


def relu_vjp(g, out, x):
    return (g * (x > 0),)


def leaky_relu(x, *, negative_slope):
    return np.where(x > 0, x, negative_slope * x)


def leaky_relu_vjp(g, out, x, *, negative_slope):
    return (np.where(x > 0, g, negative_slope * g),)


def silu(x):
    return x * sigmoid(x)


def silu_vjp(g, out, x):
    s = sigma(x)
    return (g * (s + out * (1 - s)),)


def softplus(x):
    m = np.maximum(x, 0)
    return m + np.log1p(np.exp(x - 2 * m))  # x - 2 max(x, 0) = -|x|


def softplus_vjp(g, out, x):
    return (g * sigma(x),)


def gelu(x):
    return x * normal_cdf(x)


def gelu_vjp(g, out, x):
    density = np.exp(-x * x / 2) / np.sqrt(2 * np.pi).item()
    return (g * (normal_cdf(x) + x * density),)


def normal_cdf(x):
    z = x / np.sqrt(2).item()
    return (1 + (z.erf() if hasattr(z, "erf") else erf(z))) / 2


def erf(x):
    """W. J. Cody, Rational Chebyshev approximation for the error function, Math. Comp. 23 (1969)."""
    x = np.asarray(x)
    with np.errstate(all="ignore"):
        m = np.where(x.real < 0, -x, x)
        squared, inverse = m * m, 1 / np.maximum(m * m, 1)
        tail = np.exp(-np.minimum(squared, 700))
        near = x * ratio(squared, CODY_NEAR)
        middle = 1 - tail * ratio(np.minimum(m, 8), CODY_MIDDLE)
        far = 1 - tail * ((1 / np.sqrt(np.pi).item() - inverse * ratio(inverse, CODY_FAR)) / np.maximum(m, 1))
    sign = np.where(x.real < 0, -1, 1)
    result = np.where(m.real <= 0.46875, near, sign * np.where(m.real <= 4, middle, far))
    return np.where(np.isnan(x), x, result).astype(x.dtype if x.dtype.kind in "fc" else float)


def erf_vjp(g, out, x):
    return (g * ((2 / np.sqrt(np.pi).item()) * np.exp(-x * x)),)


def ratio(x, coefficients):
    """A quotient of two polynomials, by Horner; the coefficients from the highest power down."""
    above, below = coefficients
    return np.polyval(above, x) / np.polyval(below, x)


CODY_NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2)
    + (3.20937758913846947e3,),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3),
)
CODY_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1)
    + (2.98635138197400131e2,)
    + (8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3)
    + (3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)
CODY_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1)
    + (1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346047e0, 5.27905102951428412e-1, 6.05183413124413191e-2)
    + (2.33520497626869185e-3,),
)

# ---- pieces --------------------------------------------------------------------------


def abs(x):
    return np.abs(x)


def abs_vjp(g, out, x):
    return (g * np.sign(x),)


def sign(x):
    return np.sign(x)


def sign_vjp(g, out, x):
    return (None,)  # flat wherever it has a derivative


def maximum(x, y):
    return np.maximum(x, y)


def maximum_vjp(g, out, x, y):
    tie = (x == y) * (g / 2)
    return g * (x > y) + tie, g * (y > x) + tie


def minimum(x, y):
    return np.minimum(x, y)


def minimum_vjp(g, out, x, y):
    tie = (x == y) * (g / 2)
    return g * (x < y) + tie, g * (y < x) + tie


def clip(x, *, low, high):
    return np.clip(x, low, high)


def clip_vjp(g, out, x, *, low, high):
    inside = (True if low is None else x >= low) & (True if high is None else x <= high)
    return (g * inside,)


def where(x, y, *, condition):
    return np.where(condition, x, y)


def where_vjp(g, out, x, y, *, condition):
    return np.where(condition, g, 0), np.where(condition, 0, g)


def masked_fill(x, *, mask, value):
    return np.where(mask, value, x)


def masked_fill_vjp(g, out, x, *, mask, value):
    return (np.where(mask, 0, g),)


def dropout(x, *, keep):
    return x * keep  # 0, or 1 / (1 - p)


def dropout_vjp(g, out, x, *, keep):
    return (g * keep,)


def cast(x, *, dtype):
    return x.astype(dtype)


def cast_vjp(g, out, x, *, dtype):
    return (g.astype(x.dtype),)
